import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import { type RowsOfKeys, rowsOfKeys } from '../database/index.ts';
import { type Key, needsRow, relatedToKey } from '../domain/index.ts';
import { invalidateAll, type InvalidationResult } from '../outbox/index.ts';
import { type CapturedCall, type KeyCall, ownCacheKeys } from './plan.ts';

export interface KeyStepsOptions {
  entries: Pick<EntryStore, 'invalidateMany'>;
  rows: Pick<RowStore, 'readMany'>;
}

/**
 * Invalidates the entries of the rows that calls name, and what hangs on these rows.
 * @returns for each call what became of its steps; undefined: the cache was away
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function invalidateKeys(
  { entries, rows }: KeyStepsOptions,
  calls: readonly KeyCall[],
): Promise<(InvalidationResult | undefined)[][]> {
  const own = calls.map(ownCacheKeys);
  const [ownResults, read] = await Promise.all([
    invalidate(entries, own.flat()),
    rowsOfKeys(rows, calls.flatMap(({ keys }) => keys).filter(needsRow)),
  ]);
  const related = calls.map(({ keys }) => keys.flatMap((key) => relatedOf(key, read)));
  const cacheKeys = related.flat().filter((each) => typeof each === 'string');
  const relatedResults = await invalidate(entries, cacheKeys);
  return calls.map((_, at) => [
    ...(own[at] ?? []).map((cacheKey) => ownResults.get(cacheKey)),
    ...(related[at] ?? []).map((each) =>
      typeof each === 'string' ? relatedResults.get(each) : each,
    ),
  ]);
}

/** Invalidates what captured rows make wrong. Returns the same as `invalidateKeys`. */
export async function invalidateCaptured(
  entries: KeyStepsOptions['entries'],
  calls: readonly CapturedCall[],
): Promise<(InvalidationResult | undefined)[][]> {
  const results = await invalidate(
    entries,
    calls.flatMap(({ cacheKeys }) => cacheKeys),
  );
  return calls.map(({ cacheKeys }) => cacheKeys.map((cacheKey) => results.get(cacheKey)));
}

function relatedOf(key: Key, read: RowsOfKeys): (string | Error)[] {
  const row = read.get(key) ?? null;
  return row instanceof Error ? [row] : relatedToKey(key, row);
}

function invalidate(
  entries: KeyStepsOptions['entries'],
  cacheKeys: readonly string[],
): Promise<Map<string, InvalidationResult>> {
  const each = [...new Set(cacheKeys)];
  return invalidateAll(
    entries,
    each.map((cacheKey) => ({ cacheKey, version: null })),
  );
}
