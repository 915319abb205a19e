/** Carries out what a caller asks for that has changed rows by itself, past Lockstep. */
import type { CacheOutcome } from '@lockstep/shared';
import type { RowStore } from '../database/port.ts';
import { rowsOfKeys } from '../database/index.ts';
import {
  isCached,
  type Key,
  LockstepError,
  needsRow,
  relatedToKey,
  siblingKeys,
} from '../domain/index.ts';
import type { AskedInvalidation } from '../outbox/port.ts';
import type { WriteServiceOptions } from './options.ts';

export interface AskedInvalidationOptions extends Pick<
  WriteServiceOptions,
  'cache' | 'outbox' | 'telemetry'
> {
  rows: Pick<RowStore, 'readMany'>;
}

/** One cache key to be invalidated, and what the outbox stores if that fails. */
interface Step {
  cacheKey: string;
  pending: AskedInvalidation;
}

/**
 * Invalidates the entries of rows, with all that depends on the rows as they are now, and cache keys. A failed step goes
 * to the outbox.
 * @returns what became of each key, then of each cache key
 * @throws LockstepError where a row that must be read for what depends on it cannot be read; its own entry is invalidated
 *   or left to the outbox, and the call may be repeated
 */
export async function invalidateAsked(
  options: AskedInvalidationOptions,
  keys: readonly Key[],
  cacheKeys: readonly string[],
): Promise<CacheOutcome[]> {
  const own: Step[][] = [
    ...keys.map(ownSteps),
    ...cacheKeys.map((cacheKey) => [{ cacheKey, pending: { cacheKey } }]),
  ];
  const failedOwn = await invalidateOrLeave(options, own.flat());
  const related = await relatedSteps(options, keys);
  const failedRelated = await invalidateOrLeave(options, related.flat());
  const failed = new Set([...failedOwn, ...failedRelated]);
  for (const key of keys)
    options.telemetry.emit({ type: 'invalidated', key, by: 'api', version: 0 });
  return own.map((steps, at) =>
    [...steps, ...(related[at] ?? [])].some((step) => failed.has(step)) ? 'pending' : 'invalidated',
  );
}

function ownSteps(key: Key): Step[] {
  const pending = { resource: key.rows, keyText: key.rowText };
  return [key, ...siblingKeys(key)]
    .filter(mayHaveEntry)
    .map(({ cacheKey }) => ({ cacheKey, pending }));
}

/** For each key, the cache keys that depend on its row. */
async function relatedSteps(
  { rows }: AskedInvalidationOptions,
  keys: readonly Key[],
): Promise<Step[][]> {
  const all = keys.map((key) => [key, ...siblingKeys(key)]);
  const read = await rowsOfKeys(rows, all.flat().filter(needsRow));
  return all.map((each) =>
    each.flatMap((key) => {
      const row = read.get(key) ?? null;
      if (row instanceof Error) throw row;
      return relatedToKey(key, row).map((cacheKey) => ({ cacheKey, pending: { cacheKey } }));
    }),
  );
}

/** Leaves the steps that failed to the outbox, and returns them. */
async function invalidateOrLeave(
  options: AskedInvalidationOptions,
  steps: readonly Step[],
): Promise<Step[]> {
  const failed = await invalidateSteps(options, steps);
  if (failed.length > 0) {
    await options.outbox.append([...new Set(failed.map(({ pending }) => pending))]);
    options.outbox.wake();
  }
  return failed;
}

/** Returns the steps that failed. */
async function invalidateSteps(
  { cache }: AskedInvalidationOptions,
  steps: readonly Step[],
): Promise<Step[]> {
  const cacheKeys = [...new Set(steps.map(({ cacheKey }) => cacheKey))];
  if (cacheKeys.length === 0) return [];
  const results = cache.available
    ? await cache.invalidateMany(cacheKeys.map((cacheKey) => ({ cacheKey, version: null })))
    : cacheKeys.map(() => new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.'));
  const failed = new Set(cacheKeys.filter((_, at) => results[at] instanceof Error));
  return steps.filter(({ cacheKey }) => failed.has(cacheKey));
}

/** The named key also if it is of policy `none`: an entry may be left from another policy. */
const mayHaveEntry = (key: Key, place: number): boolean => place === 0 || isCached(key.resource);
