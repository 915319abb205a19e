import type { CacheKeyTest } from '../domain/index.ts';
import type { EntryScanner, EntryStore } from './port.ts';

const PAGE_KEYS = 500;

/**
 * Invalidates every entry whose cache key is one of those in question, in one pass over the cache's keys (SCAN, in bounded steps), and
 * returns how many. SCAN returns every key that is there from the beginning of the pass to its end, read leases too, so
 * nothing that was filled before the pass outlives it. When `signal` aborts, the pass ends early.
 * @throws LockstepError if an entry could not be invalidated
 */
export async function invalidateMatching(
  {
    scanner,
    entries,
  }: { scanner: Pick<EntryScanner, 'scan'>; entries: Pick<EntryStore, 'invalidateMany'> },
  isWanted: CacheKeyTest,
  signal: AbortSignal,
  onPage: (invalidated: number) => void = () => undefined,
): Promise<number> {
  let invalidated = 0;
  let cursor: string | null = null;
  do {
    const page = await scanner.scan(cursor, PAGE_KEYS);
    const items = page.keys
      .filter(({ cacheKey }) => isWanted(cacheKey))
      .map(({ cacheKey }) => ({ cacheKey, version: null }));
    const results = items.length === 0 ? [] : await entries.invalidateMany(items);
    const failed = results.find((result) => result instanceof Error);
    if (failed !== undefined) throw failed;
    invalidated += items.length;
    onPage(items.length);
    cursor = page.next;
  } while (cursor !== null && !signal.aborted);
  return invalidated;
}
