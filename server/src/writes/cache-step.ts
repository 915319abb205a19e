import type { CacheOutcome } from '@lockstep/shared';
import type { CoveringPosition, EntryStore } from '../cache/port.ts';
import type { ReachedEntries } from '../database/port.ts';
import {
  invalidatedSiblings,
  invalidatesOwn,
  isCached,
  type Key,
  relatedCacheKeys,
  type RelatedRows,
  rulesOf,
} from '../domain/index.ts';
import type { WriterOutbox } from './parts.ts';

/** A write that is committed. */
export interface Written {
  version: number;
  related: RelatedRows;
  /** Taken after the commit. */
  position?: CoveringPosition;
}

/**
 * Leaves a tombstone of `version` at the row's entries that a write invalidates (its own, and those of other resources
 * that share the row), and invalidates everything related.
 * @returns whether all of it is done; false leaves the rest to the outbox
 */
export async function invalidateWritten(
  cache: EntryStore,
  key: Key,
  { version, related, position }: Written,
): Promise<boolean> {
  const own = invalidatesOwn(key.resource) ? [key] : [];
  const items = [
    ...[...own, ...invalidatedSiblings(key)].map(({ cacheKey, resource }) => ({
      ...{ cacheKey, version },
      isEntry: isCached(resource),
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

/** Invalidates what foreign keys changed with a row; where that does not succeed its outbox rows are relayed. */
export async function invalidateReached(
  { cache, outbox }: { cache: EntryStore; outbox: Pick<WriterOutbox, 'finished' | 'wake'> },
  reached: ReachedEntries | undefined,
): Promise<void> {
  if (reached === undefined || reached.cacheKeys.length === 0) return;
  const results = cache.available
    ? await cache.invalidateMany(reached.cacheKeys.map((cacheKey) => ({ cacheKey, version: null })))
    : null;
  if (results === null || results.some((result) => result instanceof Error)) outbox.wake();
  else for (const outboxId of reached.outboxIds) outbox.finished(outboxId);
}

/** What is true of the cache now for a version that was written earlier. */
export async function cacheOutcomeOf(
  cache: EntryStore,
  key: Key,
  version: number,
): Promise<CacheOutcome> {
  const { otherWrites, receipt } = rulesOf(key.resource);
  if (otherWrites === 'left') return receipt.untouched;
  if (!cache.available) return 'pending';
  const [result] = await cache.invalidateMany([{ cacheKey: key.cacheKey, version, isEntry: true }]);
  if (result === undefined || result instanceof Error) return 'pending';
  return otherWrites === 'published' ? result : 'invalidated';
}
