/**
 * What each policy does. This table is the only place that names policies: everything else in the server reads a field
 * of it, and a linter rule forbids comparing a policy with a string. To add a policy, see docs/recipes.md.
 *
 * A row of a table can be named by several resources (`shared-rows.ts`). "Its own writes" below are those through the
 * resource itself; "other writes" are those through another resource, or by a foreign key, that change the same row.
 */
import { type CacheOutcome, type IS_CACHED, POLICIES, type Policy } from '@lockstep/shared';
import type { Resource } from './resource.ts';

/**
 * How a write is carried out.
 * `strict`: under the key's lock, with an intent in the cache and a fence in the database, so that no reader sees the
 * old value once the write is acknowledged.
 * `plain`: one database transaction, then the cache.
 */
export type WriteStrategy = 'strict' | 'plain';

/**
 * What a write does with the entry of its row.
 * `published`: an intent hides the old value before the commit, and the new value replaces the intent after it.
 * `invalidated`: a tombstone replaces the old value after the commit; the outbox repeats that until it succeeds.
 * `left`: nothing. The old value stays until the change log, the next refresh or its time to live removes it.
 */
export type EntryTreatment = 'published' | 'invalidated' | 'left';

export interface PolicyRules {
  /** Fences and locks also apply to a plain resource whose rows a strict one has too: see `isFenced`. */
  write: WriteStrategy;
  /**
   * Who writes entries. `readers`: each one that misses, under a fill lease. `refresh`: the scheduled job, the whole
   * table at once; a reader that misses asks the database and fills nothing. `nobody`: there are no entries.
   */
  filledBy: 'readers' | 'refresh' | 'nobody';
  /** What its own writes do with the entry. For a query: what the writers of its tables do with its answers. */
  ownWrites: EntryTreatment;
  /** What other writes do with the entry. Where they invalidate it, tombstones and values carry log positions. */
  otherWrites: EntryTreatment;
  /**
   * Who removes from the cache what its own writes make wrong beyond the own entry (`invalidates` templates).
   * `writer`: the write, by its outbox row; the change log then skips changes that Lockstep made itself.
   * `change-log`: its follower, which must therefore run.
   */
  relatedBy: 'writer' | 'change-log';
  /** Whether a write invalidates a second time, later, for readers that fill the cache without a lease. */
  hasSecondDelete: boolean;
  /** What a receipt says about the own entry, when the write had nothing to invalidate and when it invalidated something. */
  receipt: {
    untouched: Extract<CacheOutcome, 'none' | 'pending'>;
    invalidated: Extract<CacheOutcome, 'invalidated' | 'none' | 'pending'>;
  };
  /**
   * How an audit repairs an entry. `recovery`: under the key's lock, by a strict write that changes nothing.
   * `compare`: it replaces the very text that it compared, and nothing else.
   */
  repairedBy: 'recovery' | 'compare';
  /** Whether a query can have it. Nobody writes a query, so policies about its writes make no sense there. */
  isForQueries: boolean;
}

/** `filledBy` agrees with what `shared` tells the dashboard about the policy. */
type RulesOf<P extends Policy> = PolicyRules & {
  filledBy: (typeof IS_CACHED)[P] extends true ? 'readers' | 'refresh' : 'nobody';
};

export const POLICY_RULES: { readonly [P in Policy]: Readonly<RulesOf<P>> } = {
  strict: {
    write: 'strict',
    filledBy: 'readers',
    ownWrites: 'published',
    otherWrites: 'published',
    relatedBy: 'writer',
    hasSecondDelete: false,
    receipt: { untouched: 'pending', invalidated: 'invalidated' },
    repairedBy: 'recovery',
    isForQueries: false,
  },
  'delete-after-write': {
    write: 'plain',
    filledBy: 'readers',
    ownWrites: 'invalidated',
    otherWrites: 'invalidated',
    relatedBy: 'writer',
    hasSecondDelete: false,
    receipt: { untouched: 'pending', invalidated: 'invalidated' },
    repairedBy: 'compare',
    isForQueries: true,
  },
  'delayed-double-delete': {
    write: 'plain',
    filledBy: 'readers',
    ownWrites: 'invalidated',
    otherWrites: 'invalidated',
    relatedBy: 'writer',
    hasSecondDelete: true,
    receipt: { untouched: 'pending', invalidated: 'invalidated' },
    repairedBy: 'compare',
    isForQueries: false,
  },
  'change-log': {
    write: 'plain',
    filledBy: 'readers',
    ownWrites: 'left',
    otherWrites: 'invalidated',
    relatedBy: 'change-log',
    hasSecondDelete: false,
    receipt: { untouched: 'pending', invalidated: 'pending' },
    repairedBy: 'compare',
    isForQueries: true,
  },
  refresh: {
    write: 'plain',
    filledBy: 'refresh',
    ownWrites: 'left',
    otherWrites: 'left',
    relatedBy: 'writer',
    hasSecondDelete: false,
    receipt: { untouched: 'pending', invalidated: 'pending' },
    repairedBy: 'compare',
    isForQueries: false,
  },
  none: {
    write: 'plain',
    filledBy: 'nobody',
    ownWrites: 'left',
    otherWrites: 'left',
    relatedBy: 'writer',
    hasSecondDelete: false,
    receipt: { untouched: 'none', invalidated: 'invalidated' },
    repairedBy: 'compare',
    isForQueries: true,
  },
};

type HasPolicy = Pick<Resource, 'policy'>;

export const rulesOf = ({ policy }: HasPolicy): PolicyRules => POLICY_RULES[policy];

/** Whether the cache holds entries of the resource. */
export const isCached = ({ policy }: HasPolicy): boolean =>
  POLICY_RULES[policy].filledBy !== 'nobody';

/** Whether a scheduled job writes the resource's entries. */
export const isRefreshed = ({ policy }: HasPolicy): boolean =>
  POLICY_RULES[policy].filledBy === 'refresh';

export const isStrict = ({ policy }: HasPolicy): boolean => POLICY_RULES[policy].write === 'strict';

/** Whether a write through the resource invalidates the entry of its row; for a query, see `PolicyRules.ownWrites`. */
export const invalidatesOwn = ({ policy }: HasPolicy): boolean =>
  POLICY_RULES[policy].ownWrites === 'invalidated';

/** Whether other writes of its rows invalidate the resource's entries. */
export const isInvalidatedByOthers = ({ policy }: HasPolicy): boolean =>
  POLICY_RULES[policy].otherWrites === 'invalidated';

/** `isRefreshed` for a stored name, which may be that of a policy that only another release knows. */
export const isRefreshedByName = (name: string): boolean =>
  POLICIES.some((policy) => policy === name && isRefreshed({ policy }));
