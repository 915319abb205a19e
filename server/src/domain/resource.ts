import type { Policy, RepairRule } from '@lockstep/shared';
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

export type EntryFormat = 'entry' | 'raw';

/** How the cache of a small table is rewritten. */
export interface RefreshRule {
  when: AuditRule['when'];
  /** A table with more rows is not cached: its refresh fails. */
  maxRows: number;
}

/** A resource that is a query in the place of a table. */
export interface DerivedQuery {
  text: QueryText;
  /** An answer of more rows is refused. */
  maxRows: number;
  dependsOn: readonly Dependency[];
}

/** A table of whose rows a query's answers are made. */
export interface Dependency {
  table: string;
  /** The table's column for each of the key's parts, in their order. */
  columns: readonly Column[];
  /** Columns that name one row of the table. */
  identity: readonly Column[];
  /** The cache key of the answer that a row belongs to, by the row's columns. */
  cacheKey: CacheKeyTemplate;
}

/** A foreign key that leads, by itself or by others behind it, to rows that are cached. */
export interface Cascade extends ForeignKeyAction {
  /** Resources over the child, by name, whose entries such a change makes wrong. */
  resources: readonly string[];
  /** Cached queries that depend on the child where no resource is over it: see `Dependency`. */
  dependents: readonly Dependency[];
}

/** The foreign keys that change other rows with a row of a resource. */
export interface Cascades {
  /** The resource's own table. */
  table: string;
  keys: readonly Cascade[];
}

/** How a resource shares its rows with others that name them by the same columns. */
export interface Sharing {
  /** Under which versions, fences, locks and outbox rows of the rows are kept. Stays when resources come and go. */
  name: string;
  /** By the key's columns in the order of the shared spelling, their places among the resource's own. */
  order: readonly number[];
  /** The other resources over the rows. */
  siblings: readonly Resource[];
  /** For comparing configurations: what a write must know of the others. */
  toJSON(): { name: string; siblings: string[] };
}

/** A configured kind of data, bound to the table (or query) that the database has. Frozen. */
export interface Resource {
  name: string;
  table: string;
  /** PostgreSQL: the schema that the table was found in. A bare name could be taken for another thing of a statement. */
  schema?: string;
  /** The key's columns, in the order in which a key names them. */
  keyColumns: readonly Column[];
  /** Every column that may be written and is returned; holds the key's columns. */
  columns: readonly Column[];
  policy: Policy;
  cacheKey: CacheKeyTemplate;
  ttlMs: number;
  /** 0 to 1: a value's TTL is drawn from `ttlMs * (1 ± ttlJitter)`. */
  ttlJitter: number;
  negativeTtlMs: number;
  /** `strict`: what a write leaves in the cache. */
  onWrite: 'set' | 'delete';
  /** Cache keys that a changed row makes wrong, by its columns before and after the change: configured, and of derived entries. */
  invalidates: readonly CacheKeyTemplate[];
  audit: AuditRule | null;
  /**
   * What an entry looks like. `entry`: a header and the row. `raw`: plain JSON of the row, without header, version and
   * leases, for readers that know nothing of Lockstep.
   */
  format: EntryFormat;
  /** `delayed-double-delete`: when the second delete follows; null: derived from measured read times. */
  secondDeleteAfterMs: number | null;
  /** `refresh`: how its cache is rewritten; null elsewhere. */
  refresh: RefreshRule | null;
  /**
   * In the place of a table (`table` is then empty): its keys are the query's parameters, its one column `rows` is the
   * list of rows that the query answers. It is never written, and its version is always 0. Absent: a table.
   */
  query?: DerivedQuery;
  /** What the database does by itself when a row is written. Absent: nothing. */
  sideEffects?: SideEffects;
  /** What foreign keys change beyond the row. Absent: nothing that is cached. */
  cascades?: Cascades;
  /** What the catalog says of the tables that its entries are made of. Absent: it was not asked. */
  tables?: TableState;
  /** Set where it shares its rows with other resources, or did before. Absent: its rows are its own. */
  shared?: Sharing;
  /**
   * The strict resource over the same table that names its rows by other columns: only through that one are they
   * written. Absent: it writes them itself.
   */
  writtenThrough?: string;
  /**
   * PostgreSQL: rows that only transactions below this number (an `xid8`) have changed are as Lockstep found them.
   * Absent: no row is known to be.
   */
  pristineBelow?: string;
  /**
   * Which switch of the resource's policy this object belongs to; the database refuses writes of an earlier one.
   * Absent: writes are not checked.
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
