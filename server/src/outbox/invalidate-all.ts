import type { EntryStore } from '../cache/port.ts';
import { isCacheAway } from '../domain/index.ts';
import type { Invalidation, InvalidationResult } from './delivery.ts';

/** Cache keys in one round trip. */
const BATCH_CACHE_KEYS = 1_000;

/**
 * Invalidates many cache keys, in bounded round trips. It stops at the first one that finds the cache away.
 * @returns by cache key what became of it; a cache key without a result counts as away
 */
export async function invalidateAll(
  entries: Pick<EntryStore, 'invalidateMany'>,
  invalidations: readonly Invalidation[],
): Promise<Map<string, InvalidationResult>> {
  const results = new Map<string, InvalidationResult>();
  for (let at = 0; at < invalidations.length; at += BATCH_CACHE_KEYS) {
    const chunk = invalidations.slice(at, at + BATCH_CACHE_KEYS);
    try {
      const answers = await entries.invalidateMany(chunk);
      for (const [index, { cacheKey }] of chunk.entries()) {
        const answer = answers[index];
        if (answer !== undefined) results.set(cacheKey, answer);
      }
    } catch (error) {
      if (!isCacheAway(error)) throw error;
      return results;
    }
  }
  return results;
}
