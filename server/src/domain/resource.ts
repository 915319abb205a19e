import type { EntryFormat, Level, Policy, RepairRule, RolloutStage } from '@lockstep/shared';
import type { CacheKeyTemplate } from './cache-key.ts';
import type { Column } from './column.ts';
import type { QueryText } from './query-text.ts';
import type { ForeignKeyAction, SideEffects, TableState } from './table-effects.ts';

/** How a resource is audited. */
export interface AuditRule {
  /** Either a fixed interval or a cron expression. */
  when: { everyMs: number } | { cron: string };
  sample: number;
  graceMs: number;
  repair: RepairRule;
}

/** How the cache of a small table is rewritten. */
export interface RefreshRule {
  when: AuditRule['when'];
  /** A table with more rows is not cached: its refresh fails. */
  maxRows: number;
}

/** What a resource has instead of a table if its values are made from rows of tables. */
export interface Derivation {
  source: DerivedSource;
  dependsOn: readonly Dependency[];
}

/** What makes the values. */
export type DerivedSource = QuerySource | LoaderSource;

/** The coordinator runs a query. */
export interface QuerySource {
  kind: 'query';
  text: QueryText;
  /** An answer with more rows is refused. */
  maxRows: number;
}

/** A function of a service makes them, which only its client can run. */
export interface LoaderSource {
  kind: 'loader';
}

/** A table from whose rows values are derived. */
export interface Dependency {
  table: string;
  /** The table's column for each of the key's parts, in their order. */
  columns: readonly Column[];
  /** The columns that identify a row of the table. */
  identity: readonly Column[];
  /** The cache key of the answer that a row belongs to, by the row's columns. */
  cacheKey: CacheKeyTemplate;
}

/** A foreign key that leads to cached rows, directly or through further foreign keys. */
export interface Cascade extends ForeignKeyAction {
  /** The names of the resources over the child whose entries such a change makes wrong. */
  resources: readonly string[];
  /** The cached queries that depend on the child, if no resource is over it: see `Dependency`. */
  dependents: readonly Dependency[];
}

/** The foreign keys by which a change of a resource's row changes other rows. */
export interface Cascades {
  /** The resource's own table. */
  table: string;
  keys: readonly Cascade[];
}

/** How a resource shares its rows with others that identify them by the same columns. */
export interface Sharing {
  /** The name under which versions, fences, locks and outbox rows are kept. It stays when resources come and go. */
  name: string;
  /** For each key column in the order of the shared spelling, its index among the resource's key columns. */
  order: readonly number[];
  /** The other resources over the rows. */
  siblings: readonly Resource[];
  /** For comparing configurations: what a write needs to know about the other resources. */
  toJSON(): { name: string; siblings: string[] };
}

/** A configured kind of data, bound to its table or query in the database. Frozen. */
export interface Resource {
  name: string;
  table: string;
  /** PostgreSQL: the schema that the table was found in. An unqualified name could mean something else in a statement. */
  schema?: string;
  /** The key's columns, in the order in which a key names them. */
  keyColumns: readonly Column[];
  /** The columns that are returned and may be written, including the key's. */
  columns: readonly Column[];
  policy: Policy;
  cacheKey: CacheKeyTemplate;
  ttlMs: number;
  /** From 0 to 1: a value's TTL is drawn from `ttlMs * (1 ± ttlJitter)`. */
  ttlJitter: number;
  negativeTtlMs: number;
  /** `strict`: what a write leaves in the cache. */
  onWrite: 'set' | 'delete';
  /**
   * Templates of the cache keys that a changed row makes wrong, filled with its columns before and after the change. Some
   * are configured; those of queries and of other resources over the table are added.
   */
  invalidates: readonly CacheKeyTemplate[];
  audit: AuditRule | null;
  /** What an entry looks like. See `entry-format.ts` for what follows from it. */
  format: EntryFormat;
  /** How far Lockstep has taken over its entries from the service. */
  rollout: RolloutStage;
  /** `local`: clients may keep values in their own memory, and learn by a stream in the cache what is invalidated. */
  level: Level;
  /** `delayed-double-delete`: how long after the write the second delete comes; null: derived from measured read times. */
  secondDeleteAfterMs: number | null;
  /** `refresh`: how its cache is rewritten; null for other policies. */
  refresh: RefreshRule | null;
  /**
   * Set if the resource is a query or computed; `table` is then empty. Its key is its parameters, and its only column is
   * `rows`, the list of rows that the query returns, or `value`, what the loader answers. It is never written, and its
   * version is always 0.
   */
  derivation?: Derivation;
  /** What the database itself does when a row is written: triggers, rules, partitions. Absent: nothing. */
  sideEffects?: SideEffects;
  /** Which cached rows foreign keys change together with a row. Absent: none. */
  cascades?: Cascades;
  /** What the catalog says about the tables behind its entries. Absent: the catalog was not read. */
  tables?: TableState;
  /** Set if it shares its rows with other resources, or did so before. */
  shared?: Sharing;
  /**
   * The strict resource over the same table that identifies its rows by other columns. Set: rows can be written only
   * through that one.
   */
  writtenThrough?: string;
  /**
   * PostgreSQL: a row that only transactions below this number (an `xid8`) have changed is as Lockstep first found it.
   * Absent: that is known of no row.
   */
  pristineBelow?: string;
  /**
   * Counts the switches of the resource's policy. The database refuses writes with an earlier one. Absent: writes are not
   * checked.
   */
  epoch?: number;
}

/** One row of a resource. */
export interface Key {
  resource: Resource;
  /** The key's parts in canonical text, one for each key column. */
  parts: readonly string[];
  /** Canonical text: parts with `%` and `,` percent-encoded, joined by `,`. At most 2,048 bytes. Unique within the resource. */
  text: string;
  cacheKey: string;
  /** The name under which the row's version, fence and outbox rows are kept: the resource's, or one that it shares. */
  rows: string;
  /** The key's text there: `text`, or its parts in the order that the sharing resources agree on. */
  rowText: string;
  /** Name of the Redlock: `lockstep:lock:{rows}:{rowText}`. */
  lockKey: string;
}
