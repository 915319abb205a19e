import type { Row } from '@lockstep/shared';
import type {
  Change,
  Column,
  ForeignKeyAction,
  Idempotency,
  Key,
  NewRow,
  QuerySpelling,
  QueryText,
  Resource,
  RowFilter,
  SideEffects,
} from '../domain/index.ts';
import type { DatabaseRefusal } from './connections/refusals.ts';

export type { DatabaseRefusal };

/** A row with the version and fence that the database has for its key; one consistent read. */
export interface VersionedRow {
  /** 0 for a key that Lockstep has never written. */
  version: number;
  fence: number;
  row: Row | null;
  /**
   * Absent: the row is as Lockstep left or found it, or its absence is. Another program's change of it has this tag
   * (`EntityTag`), and its deletion `GONE`.
   */
  tag?: string;
}

/** One write as the database carries it out, in one transaction. */
export interface RowWrite {
  key: Key;
  change: Change;
  /** The version that the key must have, while it is locked. */
  ifMatch?: number;
  /** Beside `ifMatch`: the tag that the row must have; absent: none. */
  ifMatchTag?: string;
  /** Strict: the fence of this holder. Refused where the key has seen a higher one. */
  fence?: number;
  /** Beside a fence: refused (`fenced`) where the key's stored fence is not one of these: another holder came in between. */
  heldFences?: readonly number[];
  idempotency?: Idempotency;
  /** Leave an outbox row in the same transaction. */
  outbox: boolean;
  /** Beside the outbox row: leave another one in the same transaction that falls due after this. */
  secondDeleteAfterMs?: number;
  /** Nothing is sent: the row is changed by a foreign key, with that of another write of the transaction. */
  byForeignKey?: true;
  /** What is needed to see to the rows that foreign keys change; absent: they are not looked for. */
  reach?: Reach;
  /**
   * Asked when all is done but the commit, while the key is locked against `read` with `confirmed`; where it answers
   * false the whole is rolled back (`unverified`), and where it rejects too.
   */
  verify?: () => Promise<boolean>;
}

/** How a write sees to the rows of other resources that foreign keys change with its own. */
export interface Reach {
  resourceOf(name: string): Resource | undefined;
  /** Strict keys that the transaction writes itself. One that is not among them is not changed: the write `reaches` it. */
  covers(key: Key): boolean;
}

/** What foreign keys changed beyond a row: cached, and with outbox rows of the same commit. */
export interface ReachedEntries {
  cacheKeys: readonly string[];
  /** To be removed when all the cache keys are invalidated; on MySQL the relay removes them. */
  outboxIds: readonly string[];
}

/** The key of a row that is to be inserted. */
export type NewKey =
  /** No other insert gets this key from the database, also if this one is never carried out. */
  | { status: 'made'; key: Key }
  /** The database makes no value for this column of the key before the row is written. */
  | { status: 'not-made'; column: string; why: string }
  | { status: 'refused'; refusal: DatabaseRefusal };

/** A write that the database refused, rolled back whole. */
export type Refusal =
  | { reason: 'not-found'; currentVersion: number }
  /** `currentTag` as in `VersionedRow`. */
  | { reason: 'version-mismatch' | 'exists'; currentVersion: number; currentTag?: string }
  | (DatabaseRefusal & { currentVersion: number });

/** A write that is applied. */
export interface AppliedRow {
  created: boolean;
  version: number;
  /** After the write; null after a delete. */
  row: Row | null;
  /** To be removed when the cache step is done; null where no outbox row was asked for. */
  outboxId: string | null;
  /** Columns of `invalidates` templates before and after the write. */
  related: { before: Row | null; after: Row | null };
  reached?: ReachedEntries;
}

export type RowWriteResult =
  | ({ status: 'applied' } & AppliedRow)
  | { status: 'refused'; refusal: Refusal }
  /** Foreign keys would change these strict keys, which the transaction does not cover. Nothing of it happened. */
  | { status: 'reaches'; keys: readonly Key[] }
  | { status: 'fenced'; storedFence: number }
  /** `verify` said no; nothing of it happened. */
  | { status: 'unverified' }
  /** The idempotency key has an outcome already. */
  | { status: 'replayed'; record: IdempotencyRecord };

/** Several writes as the database carries them out, in one transaction: all of them, or none. */
export interface RowTransaction {
  /** In the caller's order, which is the order in which they are carried out. All of different keys; at least one. */
  writes: readonly Omit<RowWrite, 'idempotency' | 'verify'>[];
  idempotency?: Idempotency;
  /** Each row must match it, locked, before the first write; those of `byForeignKey` aside. */
  where?: RowFilter;
  /** As in `RowWrite`, while all the keys are locked. */
  verify?: () => Promise<boolean>;
}

export type RowTransactionResult =
  /** In the order of the writes. */
  | { status: 'applied'; rows: AppliedRow[] }
  /**
   * The write at `index` was refused, or their commit, which does not say for which of them (`null`): all is rolled back
   * but the fences of the writes that carry one, which are stored, and the outcome of the idempotency key. `versions`:
   * those that the keys have.
   */
  | { status: 'refused'; index: number | null; refusal: Refusal; versions: number[] }
  /** The keys of these writes have fences as high, or ones that are not held. Nothing of it happened. */
  | { status: 'fenced'; fenced: { index: number; storedFence: number }[] }
  | { status: 'reaches'; keys: readonly Key[] }
  | { status: 'unverified' }
  /** The rows of these writes do not match `where`. Nothing of it happened. */
  | { status: 'unmatched'; indexes: readonly number[] }
  | { status: 'replayed'; record: IdempotencyRecord };

/** What is kept of an applied write. */
export interface WriteOutcome {
  created: boolean;
  version: number;
  row: Row | null;
  fence: number | null;
}

/** One write of a transaction whose outcome is kept. */
export interface TransactedWrite extends WriteOutcome {
  resource: string;
  keyText: string;
}

/** The first outcome of an idempotency key; of a transaction it names the first key. */
export interface IdempotencyRecord {
  requestHash: string;
  resource: string;
  keyText: string;
  result:
    | ({ status: 'applied' } & WriteOutcome)
    | { status: 'applied-together'; writes: TransactedWrite[] }
    /** `index`: which write of a transaction was refused; absent where its commit was. */
    | { status: 'refused'; refusal: Refusal; index?: number };
}

/**
 * The rows of the configured tables with their versions, fences and idempotency records.
 * Rejects with LockstepError `DATABASE_UNAVAILABLE` where certainly nothing was applied, and `OUTCOME_UNKNOWN` where
 * a write was sent and no answer came.
 */
export interface RowStore {
  /** `confirmed`: waits for a write of this key that may be about to commit. */
  read(key: Key, options?: { confirmed?: boolean }): Promise<VersionedRow>;
  /** The keys of rows that match now, in the order of the key, at most `limit`. Locks nothing. */
  findKeys(resource: Resource, where: RowFilter, limit: number): Promise<Key[]>;
  /** In order; at most 1,000 keys of one resource. */
  readMany(resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]>;
  write(write: RowWrite): Promise<RowWriteResult>;
  /**
   * Writes of one key, carried out in this order, in as few transactions as possible. Each is admitted, refused and
   * answered by itself, as by `write`. Their fences must grow. None may carry `verify`.
   *
   * What follows a write that failed with an error is not sent: that one's statement may still be in flight.
   * @returns for each write what became of it: its result, its error, or null if it was not sent
   */
  writeInOrder(writes: readonly RowWrite[]): Promise<(RowWriteResult | Error | null)[]>;
  /** Has the database make the parts of a new row's key that its caller does not give. Writes no row. */
  makeKey(row: NewRow): Promise<NewKey>;
  /** Waits for no two keys in opposite orders: their rows of `lockstep_keys` are locked in one order first. */
  writeTogether(transaction: RowTransaction): Promise<RowTransactionResult>;
  /**
   * Stores the fence where the key has none as high, so that no holder with a lower one can commit any more; with it,
   * in the same transaction, the outcome of a refused write that carried an idempotency key. Answers the row as it is after.
   * @param heldFences as in `RowWrite`
   */
  raiseFence(
    key: Key,
    fence: number,
    refused?: { idempotency: Idempotency; refusal: Refusal },
    heldFences?: readonly number[],
  ): Promise<{ status: 'raised'; row: VersionedRow } | { status: 'fenced'; storedFence: number }>;
  /** Records the refusal of a write that carries no fence; the first record of a key stays. */
  recordRefusal(key: Key, idempotency: Idempotency, refusal: Refusal): Promise<void>;
  findOutcome(idempotencyKey: string): Promise<IdempotencyRecord | null>;
  /** Removes idempotency records older than 24 h, at most `limit`; answers how many. */
  pruneOutcomes(limit: number): Promise<number>;

  /** Random rows' keys of a table, for audits. Bounded cost on large tables. */
  sampleKeys(resource: Resource, count: number): Promise<Key[]>;
  /** The most recently written keys, newest first. */
  recentKeys(resource: Resource, count: number): Promise<Key[]>;
}

/** A table whose foreign keys were looked at. */
export interface OpenedTable {
  id: string;
  /** As it stands in a statement, quoted. */
  table: string;
  /** The account may not see them. */
  isHidden: boolean;
}

/** The database's own description of a table; null where it is not there. */
export interface Catalog {
  describeTable(table: string): Promise<DescribedTable | null>;
  /**
   * The foreign keys by which a change in one of these tables changes rows of another of them, directly or by tables in
   * between. There may be more among them.
   * @param tables ids of described tables
   * @returns also the tables that had to be opened for it; none on PostgreSQL, whose catalog shows them to every account
   */
  foreignKeyActions(
    tables: readonly string[],
  ): Promise<{ actions: ForeignKeyAction[]; opened: OpenedTable[] }>;
  /**
   * Where the rows of these tables are, beyond what `DescribedTable.storage` says, by table id; absent if the database
   * does not say it.
   */
  storages(tables: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

export interface DescribedTable {
  /** The same for every way to name the table, and for its partitions. */
  id: string;
  /** PostgreSQL: the schema that it is found in. */
  schema?: string;
  /** Why a resource cannot stand on it, and what is allowed instead; null where one can. */
  unfit: string | null;
  sideEffects: SideEffects;
  /** Where the rows are kept, and who may see them; `server`: by whose numbers (empty: the database's own). */
  storage: { server: string; text: string };
  /** The table that a partition belongs to, at the top; any other table is its own. `name`: with its schema. */
  root: { id: string; name: string };
  columns: Column[];
  primaryKey: string[];
  uniqueKeys: string[][];
}

/** What the database says of a configured query. */
export interface QueryCatalog {
  readonly querySpelling: QuerySpelling;
  /**
   * Has the database read the query, with parameters of no value, and answer nothing.
   * @returns why it cannot be run as one query that only reads; null where it can
   */
  queryFault(query: QueryText): Promise<string | null>;
}
