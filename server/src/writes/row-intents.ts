/**
 * The intents of one write: one on each strict entry of the row. A row of one resource has one; where several resources
 * share it, each strict one has its own entry.
 *
 * Invariants
 *   - The write's fence is the lowest of its intents': a recovery at any of the entries mints above that entry's own, and
 *     so above the write, which can then no longer commit.
 *   - All stand before the transaction is sent, and each is published or withdrawn by itself (W1, W2).
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { AppliedRow } from '../database/port.ts';
import { type Key, strictKeys, valueTtlMs } from '../domain/index.ts';
import type { WriteParts } from './parts.ts';

export interface RowIntents {
  readonly fence: number;
  readonly each: readonly PlacedIntent[];
}

interface PlacedIntent {
  key: Key;
  intent: Intent;
}

/** Puts them all. Where one fails the others are left to a recovery. */
export function placeIntents(parts: WriteParts, key: Key, aboveFence: number): Promise<RowIntents> {
  const keys = strictKeys(key);
  const [only] = keys;
  // Nearly every row has one.
  return only !== undefined && keys.length === 1
    ? place(parts, only, aboveFence).then((placed) => intentsOf([placed]))
    : placeAll(parts, key, keys, aboveFence);
}

async function placeAll(
  parts: WriteParts,
  key: Key,
  keys: readonly Key[],
  aboveFence: number,
): Promise<RowIntents> {
  const placing = await Promise.allSettled(keys.map((each) => place(parts, each, aboveFence)));
  const failed = placing.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    parts.recovery.recoverSoon(key);
    throw failed.reason;
  }
  return intentsOf(placing.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
}

async function place(
  { cache, runtime }: WriteParts,
  key: Key,
  aboveFence: number,
): Promise<PlacedIntent> {
  const intent = await cache.placeIntent(key.cacheKey, runtime.ids.next(), aboveFence);
  return { key, intent };
}

export const intentsOf = (each: readonly PlacedIntent[]): RowIntents => ({
  fence:
    each.length === 1
      ? (each[0]?.intent.fence ?? 0)
      : Math.min(...each.map(({ intent }) => intent.fence)),
  each,
});

/** Whether all of them stand. */
export async function areIntentsThere(
  { cache }: Pick<WriteParts, 'cache'>,
  { each }: RowIntents,
): Promise<boolean> {
  const ages = each.map(({ key, intent }) => cache.intentAgeMs(key.cacheKey, intent));
  return (await Promise.all(ages)).every((ageMs) => ageMs !== null);
}

/**
 * Ends each of them with what was written. Entries of other resources than the written one have other columns, and
 * get a tombstone. A cache that fails now leaves an intent, which hides every older value.
 * @returns what is true of the written resource's own entry; null where it has no intent
 */
export async function publishIntents(
  parts: Pick<WriteParts, 'cache' | 'runtime' | 'recovery'>,
  written: Key,
  { each }: RowIntents,
  applied: AppliedRow,
  leave: 'value' | 'tombstone' = 'value',
): Promise<CacheOutcome | null> {
  const [only] = each;
  if (only?.key === written && each.length === 1) return publishOne(parts, only, applied, leave);
  const outcomes = await Promise.all(
    each.map(async (placed): Promise<CacheOutcome | null> => {
      const isOwn = placed.key === written;
      const outcome = await publishOne(parts, placed, applied, isOwn ? leave : 'tombstone');
      return isOwn ? outcome : null;
    }),
  );
  return outcomes.find((outcome) => outcome !== null) ?? null;
}

async function publishOne(
  { cache, runtime, recovery }: Pick<WriteParts, 'cache' | 'runtime' | 'recovery'>,
  { key, intent }: PlacedIntent,
  { version, row }: AppliedRow,
  leave: 'value' | 'tombstone',
): Promise<CacheOutcome> {
  const { resource, cacheKey } = key;
  const value =
    leave === 'value' && resource.onWrite === 'set'
      ? { version, row, ttlMs: valueTtlMs(resource, row, runtime.random.next()) }
      : null;
  try {
    return await cache.publish(cacheKey, intent, version, value);
  } catch (error) {
    runtime.log.warn(
      { err: error, resource: resource.name },
      'a committed write could not be published',
    );
    recovery.recoverSoon(key);
    return 'pending';
  }
}

/** Takes them away. The write's fence, which none of them is below, is stored in the database already. */
export async function withdrawIntents(
  { cache }: Pick<WriteParts, 'cache'>,
  { each }: RowIntents,
  version: number,
): Promise<void> {
  await Promise.all(
    each.map(({ key, intent }) => cache.withdrawIntent(key.cacheKey, intent, version)),
  );
}
