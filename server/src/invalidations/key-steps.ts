import type { Row } from '@lockstep/shared';
import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import { type Key, LockstepError, type Resource } from '../domain/index.ts';
import { invalidateAll, type InvalidationResult } from '../outbox/index.ts';
import { type CapturedCall, type KeyCall, needsRow, ownCacheKeys, relatedTo } from './plan.ts';

const MAX_KEYS_READ = 1_000;

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
    readRows(rows, calls.flatMap(({ keys }) => keys).filter(needsRow)),
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

/** By key: its row, null if it is gone, or why it could not be read. */
type ReadRows = ReadonlyMap<Key, Row | null | Error>;

function relatedOf(key: Key, read: ReadRows): (string | Error)[] {
  const row = read.get(key) ?? null;
  return row instanceof Error ? [row] : relatedTo(key, row);
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

async function readRows(rows: KeyStepsOptions['rows'], keys: readonly Key[]): Promise<ReadRows> {
  const read = new Map<Key, Row | null | Error>();
  const byResource = new Map<Resource, Key[]>();
  for (const key of keys)
    byResource.set(key.resource, [...(byResource.get(key.resource) ?? []), key]);
  for (const [resource, all] of byResource) {
    for (let at = 0; at < all.length; at += MAX_KEYS_READ)
      await readChunk(rows, resource, all.slice(at, at + MAX_KEYS_READ), read);
  }
  return read;
}

/** A table that cannot be read holds up no call but its own. */
async function readChunk(
  rows: KeyStepsOptions['rows'],
  resource: Resource,
  keys: readonly Key[],
  read: Map<Key, Row | null | Error>,
): Promise<void> {
  try {
    const found = await rows.readMany(resource, keys);
    for (const [at, key] of keys.entries()) read.set(key, found[at]?.row ?? null);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') throw error;
    const fault = error instanceof Error ? error : new Error(String(error));
    for (const key of keys) read.set(key, fault);
  }
}
