/**
 * What a batch of outbox rows means for the cache, and what the cache's answers mean for the rows. Pure.
 *
 * Rows of one key coalesce into one tombstone of the highest version. A row is done when every cache key that it
 * names was invalidated.
 */
import {
  highestVersion,
  isCacheAway,
  type Key,
  keyFromRowText,
  keyFromText,
  relatedCacheKeys,
  rowsName,
  rulesOf,
  siblingKeys,
} from '../domain/index.ts';
import { type BackoffOptions, backoffMs } from '../jobs/index.ts';
import type { KnownResources, OutboxRow, OutboxDecision } from './port.ts';

/**
 * After so many failed attempts a row becomes a dead letter. With the delays below that takes about 8 to 16 minutes.
 */
export const MAX_ATTEMPTS = 12;
const BACKOFF: BackoffOptions = { minMs: 1_000, maxMs: 240_000, jitter: 'full' };
/** Longest delay where the cache as a whole was away. */
const AWAY_DELAY_MS = 500;
/** For so long a row that is not understood here is left to coordinators with another configuration. */
const NOT_KNOWN_FOR_MS = 300_000;
const NOT_KNOWN_RETRY_MS = 2_000;
const MAX_ERROR_LENGTH = 500;

/** One step on one cache key; `version` null invalidates every value. */
export interface Invalidation {
  cacheKey: string;
  version: number | null;
}

/** A row with the cache keys that it makes wrong. */
interface PlannedRow {
  row: OutboxRow;
  /** Null for the invalidation of a bare cache key. */
  key: Key | null;
  cacheKeys: readonly string[];
}

export interface DeliveryPlan {
  invalidations: Invalidation[];
  rows: PlannedRow[];
  /** Rows that do not fit this coordinator's configuration, with the reason. */
  unknown: (NotKnown & { row: OutboxRow })[];
}

/** Why this coordinator does not understand a row. */
interface NotKnown {
  error: string;
  /** Whether a coordinator with the cluster's present configuration would understand it. */
  isKnownElsewhere: boolean;
}

/** What became of one cache key. */
export type InvalidationResult = 'fresh' | 'invalidated' | Error;

/** Plans the cache steps of a batch. Never throws: a row that cannot be understood is `unknown`. */
export function planDelivery(rows: readonly OutboxRow[], known: KnownResources): DeliveryPlan {
  const versions = new Map<string, number | null>();
  const plan: DeliveryPlan = { invalidations: [], rows: [], unknown: [] };
  for (const row of rows) {
    if (row.bareCacheKey !== null) {
      plan.rows.push({ row, key: null, cacheKeys: [row.bareCacheKey] });
      versions.set(row.bareCacheKey, null);
      continue;
    }
    const key = keyOf(row, known);
    if ('error' in key) {
      plan.unknown.push({ row, ...key });
      continue;
    }
    const entries = [key, ...siblingKeys(key)];
    const templates = entries.flatMap(({ resource }) => resource.invalidates);
    const related = relatedCacheKeys(templates, row.related);
    const own = entries.filter((each) => isOwnToo(each, row)).map(({ cacheKey }) => cacheKey);
    plan.rows.push({ row, key, cacheKeys: [...own, ...related] });
    for (const cacheKey of own)
      versions.set(cacheKey, highestVersion(versions.get(cacheKey), row.version));
    // The row's version says nothing about related keys, so none of their values stays.
    for (const cacheKey of related) versions.set(cacheKey, null);
  }
  for (const [cacheKey, version] of versions) plan.invalidations.push({ cacheKey, version });
  return plan;
}

/**
 * The decision of every row of a plan.
 * @param results by cache key; a cache key without a result counts as away
 * @param random uniform in [0, 1)
 */
export function judgeDelivery(
  plan: DeliveryPlan,
  results: ReadonlyMap<string, InvalidationResult>,
  random: () => number,
): OutboxDecision[] {
  const decisions = plan.unknown.map(({ row, error, isKnownElsewhere }): OutboxDecision => {
    if (!isKnownElsewhere && row.ageMs > NOT_KNOWN_FOR_MS)
      return { id: row.id, decision: 'dead', error };
    return { id: row.id, decision: 'left', delayMs: NOT_KNOWN_RETRY_MS, error };
  });
  for (const { row, cacheKeys } of plan.rows) {
    const steps = cacheKeys.map((cacheKey) => results.get(cacheKey));
    decisions.push(judgeSteps(row, steps, random));
  }
  return decisions;
}

/**
 * The decision of one row, by what became of its steps.
 * @param steps undefined: the cache was away
 * @param random uniform in [0, 1)
 */
export function judgeSteps(
  row: Pick<OutboxRow, 'id' | 'attempts'>,
  steps: readonly (InvalidationResult | undefined)[],
  random: () => number,
): Exclude<OutboxDecision, { decision: 'left' }> {
  let away = false;
  let fault: Error | null = null;
  for (const result of steps) {
    if (result === undefined || isCacheAway(result)) away = true;
    else if (result instanceof Error) fault = result;
  }
  if (fault !== null) {
    const error = bounded(fault.message);
    if (row.attempts + 1 >= MAX_ATTEMPTS) {
      return {
        id: row.id,
        decision: 'dead',
        error: `gave up after ${row.attempts + 1} attempts: ${error}`,
      };
    }
    const delayMs = Math.ceil(backoffMs(BACKOFF, row.attempts, random()));
    return { id: row.id, decision: 'retry', delayMs, counted: true, error };
  }
  if (away) {
    const delayMs = Math.ceil(random() * AWAY_DELAY_MS);
    return {
      id: row.id,
      decision: 'retry',
      delayMs,
      counted: false,
      error: 'the cache does not answer',
    };
  }
  return { id: row.id, decision: 'done' };
}

function keyOf(
  row: OutboxRow,
  { resources, isCurrent = () => true }: KnownResources,
): Key | NotKnown {
  const named = resources.get(row.resource);
  const sharing =
    named !== undefined && rowsName(named) === row.resource
      ? named
      : [...resources.values()].find((each) => rowsName(each) === row.resource);
  const resource = sharing ?? named;
  if (resource === undefined) {
    const error = `the resource "${row.resource}" is not configured any more`;
    return { error, isKnownElsewhere: false };
  }
  if (!isCurrent(resource)) {
    const error = `the cluster has switched "${row.resource}", and this coordinator has not followed`;
    return { error, isKnownElsewhere: true };
  }
  try {
    // The outbox row may be from before the resource shared its rows, and then has the resource's own key.
    return sharing === undefined
      ? keyFromText(resource, row.keyText)
      : keyFromRowText(resource, row.keyText);
  } catch (error) {
    const text = bounded(`its key does not fit the resource any more: ${String(error)}`);
    return { error: text, isKnownElsewhere: false };
  }
}

/**
 * Whether the outbox row is about the row's own entry too. A write of a refreshed or never cached resource leaves one
 * only for related keys; an invalidation that was asked for (without a version) is about the entry.
 */
const isOwnToo = ({ resource }: Key, { version }: OutboxRow): boolean =>
  version === null || rulesOf(resource).otherWrites !== 'left';

const bounded = (text: string): string => text.slice(0, MAX_ERROR_LENGTH);
