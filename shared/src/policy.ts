/** How a resource keeps its cache in step. What each policy does: `server/src/domain/policy-rules.ts`. */
export const POLICIES = [
  'strict',
  'delete-after-write',
  'delayed-double-delete',
  'change-log',
  'refresh',
  'none',
] as const;
export type Policy = (typeof POLICIES)[number];

/** Whether the cache holds entries of a resource of this policy. */
export const IS_CACHED = {
  strict: true,
  'delete-after-write': true,
  'delayed-double-delete': true,
  'change-log': true,
  refresh: true,
  none: false,
} as const satisfies Record<Policy, boolean>;

/**
 * What an acknowledged write left in the cache.
 * `fresh`: this version's value or a newer one is there. `invalidated`: nothing older is served from there.
 * `pending`: something older may still be there; the outbox or a recovery removes it. `none`: never cached.
 */
export type CacheOutcome = 'fresh' | 'invalidated' | 'pending' | 'none';

/** Where a read's answer came from. */
export type ReadSource = 'cache' | 'primary' | 'replica';

/** How an audit found an entry to disagree with the database. */
export const DRIFT_CLASSES = ['stale', 'orphan', 'negative-stale', 'corrupt', 'no-ttl'] as const;
export type DriftClass = (typeof DRIFT_CLASSES)[number];

/** What an audit does with drift that it finds. */
export const REPAIR_RULES = ['report', 'delete', 'refresh'] as const;
export type RepairRule = (typeof REPAIR_RULES)[number];

/** The ways in which the demo makes drift. */
export const DRIFT_KINDS = [
  'database',
  'cache',
  'orphan',
  'negative',
  'corrupt',
  'no-ttl',
] as const;
