/** What a write does to the cache after its commit, apart from the publish of a strict one. */
import type { CacheOutcome } from '@lockstep/shared';
import type { CoveringPosition, EntryStore } from '../cache/port.ts';
import type { AppliedRow, ReachedEntries, Refusal } from '../database/port.ts';
import {
  invalidatedSiblings,
  invalidatesOwn,
  isCached,
  isInShadow,
  type Key,
  receiptRules,
  relatedCacheKeys,
  rulesOf,
} from '../domain/index.ts';
import type { WriteServiceOptions } from './options.ts';
import { hasOutbox, invalidatesOthers } from './row-write.ts';

/** The cache step of a committed write. If it fails, the outbox row stays for the relay. */
export async function invalidate(
  { cache, outbox }: Pick<WriteServiceOptions, 'cache' | 'outbox'>,
  key: Key,
  applied: AppliedRow,
  position?: CoveringPosition,
): Promise<CacheOutcome> {
  const receipt = receiptRules(key.resource);
  if (applied.outboxId === null) return receipt.untouched;
  if (!(await invalidateWritten(cache, key, applied, position))) {
    outbox.wake();
    return 'pending';
  }
  outbox.finished(applied.outboxId);
  return receipt.invalidated;
}

/**
 * Leaves a tombstone of the written version at the row's entries that the write invalidates (its own, and those of other
 * resources that share the row), and invalidates everything related.
 * @param position a log position taken after the commit
 * @returns whether all of it succeeded
 */
async function invalidateWritten(
  cache: EntryStore,
  key: Key,
  { version, related }: AppliedRow,
  position: CoveringPosition,
): Promise<boolean> {
  const own = invalidatesOwn(key.resource) ? [key] : [];
  const items = [
    ...[...own, ...invalidatedSiblings(key)].map(({ cacheKey }) => ({
      ...{ cacheKey, version },
      isEntry: true,
    })),
    ...relatedCacheKeys(key.resource.invalidates, related).map((cacheKey) => ({
      cacheKey,
      version: null,
    })),
  ];
  if (items.length === 0) return true;
  if (!cache.available) return false;
  const results = await cache.invalidateMany(items.map((item) => ({ ...item, position })));
  return !results.some((result) => result instanceof Error);
}

/** Invalidates the entries of rows that foreign keys changed. If that fails, the relay delivers their outbox rows. */
export async function invalidateReached(
  { cache, outbox }: Pick<WriteServiceOptions, 'cache' | 'outbox'>,
  reached: ReachedEntries | undefined,
): Promise<void> {
  if (reached === undefined || reached.cacheKeys.length === 0) return;
  const results = cache.available
    ? await cache.invalidateMany(reached.cacheKeys.map((cacheKey) => ({ cacheKey, version: null })))
    : null;
  if (results === null || results.some((result) => result instanceof Error)) outbox.wake();
  else for (const outboxId of reached.outboxIds) outbox.finished(outboxId);
}

/**
 * After a refusal because another program changed the row: the entry is from before that change, and a caller who reads
 * it again would be refused again. If the cache does not answer, the entry stays, which is no worse than before.
 */
export async function forgetChanged(cache: EntryStore, key: Key, refusal: Refusal): Promise<void> {
  const isChanged = refusal.reason === 'version-mismatch' && refusal.currentTag !== undefined;
  if (isChanged && isCached(key.resource) && cache.available)
    await cache.invalidateMany([{ cacheKey: key.cacheKey, version: null }]);
}

/**
 * For a repeat: invalidates what is older than a version that was written earlier, and does what that write has left to
 * do, because its coordinator may have died after the commit.
 * @returns what is true of the cache now
 */
export async function cacheOutcomeOf(
  options: Pick<WriteServiceOptions, 'cache' | 'outbox'>,
  key: Key,
  version: number,
): Promise<CacheOutcome> {
  const { cache, outbox } = options;
  const { resource } = key;
  const { otherWrites, relatedBy } = rulesOf(resource);
  const receipt = receiptRules(resource);
  if (isInShadow(resource)) return receipt.untouched;
  if (otherWrites === 'left' && !hasOutbox(resource)) return receipt.untouched;
  if (!cache.available) return 'pending';
  const own =
    otherWrites === 'left' ? receipt.invalidated : await ownOutcomeOf(cache, key, version);
  // The change log does not say which of its changes it has followed.
  if (relatedBy === 'change-log' && resource.invalidates.length > 0) return 'pending';
  if (own === 'pending' || !invalidatesOthers(resource)) return own;
  if (await outbox.doLeftSteps(key, version)) return own;
  outbox.wake();
  return 'pending';
}

async function ownOutcomeOf(cache: EntryStore, key: Key, version: number): Promise<CacheOutcome> {
  const [result] = await cache.invalidateMany([{ cacheKey: key.cacheKey, version, isEntry: true }]);
  if (result === undefined || result instanceof Error) return 'pending';
  return rulesOf(key.resource).otherWrites === 'published' ? result : 'invalidated';
}
