/**
 * The intents of a strict write.
 *
 * A write puts one intent on each strict entry of its row: one where a single resource has the row, one for each strict
 * resource where several share it. All of them are placed before the transaction is sent, and each is published or
 * withdrawn by itself afterwards (W1, W2). The write's fence is the lowest of its intents' fences: a recovery at any of
 * the entries mints a fence above that entry's own, so above the write's, and the write can then no longer commit.
 *
 * While the transaction of one write runs, the intent of the next one can already be placed (`NextIntent`,
 * docs/decisions/0020-next-intent.md):
 *
 *   none -> (somebody waits) -> placed -> handed over (the next holder in this process writes under it)
 *                  -> kept (nobody followed: this holder ends it by a publish or a withdrawal)
 *
 *   - It replaces this write's own intent. Its fence is above this write's and below every later one's, so that an
 *     intent stands until the next write's transaction has ended (W1).
 *   - It is handed over at most once, together with the lock, and only if the cache confirmed it.
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { AppliedRow } from '../database/port.ts';
import { type Key, strictKeys, valueTtlMs } from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';
import type { WriteServiceOptions } from './options.ts';

export interface RowIntents {
  readonly fence: number;
  readonly each: readonly PlacedIntent[];
}

interface PlacedIntent {
  key: Key;
  intent: Intent;
}

/**
 * The most writes of a key that go through under one intent. Each has a fence of its own: so many are reserved with the
 * intent, which has the highest of them.
 */
export const MAX_MEMBERS = 64;

/**
 * Places all of them. If one fails, recovery removes the others.
 * @param fences how many fences are reserved with each; all but the highest are below the intent's own
 */
export function placeIntents(
  options: Pick<WriteServiceOptions, 'cache' | 'runtime' | 'recovery'>,
  key: Key,
  aboveFence: number,
  fences = 1,
): Promise<RowIntents> {
  const keys = strictKeys(key);
  const [only] = keys;
  // The usual case, without the promises of the general one.
  return only !== undefined && keys.length === 1
    ? place(options, only, aboveFence, fences).then((placed) => intentsOf([placed]))
    : placeAll(options, key, keys, aboveFence);
}

async function placeAll(
  options: Pick<WriteServiceOptions, 'cache' | 'runtime' | 'recovery'>,
  key: Key,
  keys: readonly Key[],
  aboveFence: number,
): Promise<RowIntents> {
  const placing = await Promise.allSettled(keys.map((each) => place(options, each, aboveFence, 1)));
  const failed = placing.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    options.recovery.recoverSoon(key);
    throw failed.reason;
  }
  return intentsOf(placing.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
}

async function place(
  { cache, runtime }: Pick<WriteServiceOptions, 'cache' | 'runtime'>,
  key: Key,
  aboveFence: number,
  fences: number,
): Promise<PlacedIntent> {
  const intent = await cache.placeIntent(key.cacheKey, runtime.ids.next(), aboveFence, fences);
  return { key, intent };
}

export const intentsOf = (each: readonly PlacedIntent[]): RowIntents => ({
  fence:
    each.length === 1
      ? (each[0]?.intent.fence ?? 0)
      : Math.min(...each.map(({ intent }) => intent.fence)),
  each,
});

/**
 * The intent of the next write, placed as soon as one waits in this process while a transaction runs.
 * Not with `verifyIntent`, where a write commits only under its own intent, nor for a shared row, which has several.
 */
export class NextIntent {
  readonly #options: WriteServiceOptions;
  readonly #key: Key;
  readonly #lock: HeldLock;
  /** That of the running transaction. */
  readonly #fence: number;
  #placing: Promise<Intent | null> | null = null;
  #isOver = false;

  constructor(options: WriteServiceOptions, key: Key, lock: HeldLock, fence: number) {
    this.#options = options;
    this.#key = key;
    this.#lock = lock;
    this.#fence = fence;
    if (options.verifyIntent === true || key.resource.shared !== undefined) return;
    if (lock.canHandOverIntent()) this.#place();
    else lock.onNextWaiter(() => this.#place());
  }

  /**
   * Call when the transaction has ended: none is placed any more. Never rejects.
   * @returns null where none was placed, or where it is unknown whether one was
   */
  end(): Promise<Intent | null> {
    this.#isOver = true;
    return this.#placing ?? Promise.resolve(null);
  }

  #place(): void {
    if (this.#isOver || !this.#lock.canHandOverIntent()) return;
    const { cache, runtime } = this.#options;
    const { cacheKey, resource } = this.#key;
    this.#placing = cache
      .placeIntent(cacheKey, runtime.ids.next(), this.#fence, MAX_MEMBERS)
      .catch((error: unknown) => {
        // If the cache placed it anyway, it hides every older value until a recovery ends it.
        runtime.log.debug({ err: error, resource: resource.name }, 'a next intent was not placed');
        return null;
      });
  }
}

/** Whether all of them still stand. */
export async function areIntentsThere(
  { cache }: Pick<WriteServiceOptions, 'cache'>,
  { each }: RowIntents,
): Promise<boolean> {
  const ages = each.map(({ key, intent }) => cache.intentAgeMs(key.cacheKey, intent));
  return (await Promise.all(ages)).every((ageMs) => ageMs !== null);
}

/**
 * Replaces each of them by what was written. Other resources over the row have other columns, so their entries get a
 * tombstone. If the cache fails now, the intent stays and hides every older value until a recovery ends it.
 * @returns what is true of the written resource's own entry; null where it has no intent
 */
export async function publishIntents(
  options: Pick<WriteServiceOptions, 'cache' | 'runtime' | 'recovery'>,
  written: Key,
  { each }: RowIntents,
  applied: Pick<AppliedRow, 'version' | 'row'>,
  leave: 'value' | 'tombstone' = 'value',
): Promise<CacheOutcome | null> {
  const [only] = each;
  if (only?.key === written && each.length === 1) return publishOne(options, only, applied, leave);
  const outcomes = await Promise.all(
    each.map(async (placed): Promise<CacheOutcome | null> => {
      const isOwn = placed.key === written;
      const outcome = await publishOne(options, placed, applied, isOwn ? leave : 'tombstone');
      return isOwn ? outcome : null;
    }),
  );
  return outcomes.find((outcome) => outcome !== null) ?? null;
}

async function publishOne(
  { cache, runtime, recovery }: Pick<WriteServiceOptions, 'cache' | 'runtime' | 'recovery'>,
  { key, intent }: PlacedIntent,
  { version, row }: Pick<AppliedRow, 'version' | 'row'>,
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

/** Removes them. Call only once the database has stored the write's fence, which none of theirs is below (W2). */
export async function withdrawIntents(
  { cache }: Pick<WriteServiceOptions, 'cache'>,
  { each }: RowIntents,
  version: number,
): Promise<void> {
  await Promise.all(
    each.map(({ key, intent }) => cache.withdrawIntent(key.cacheKey, intent, version)),
  );
}
