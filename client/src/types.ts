import type { CacheOutcome, JsonValue, Policy, Row } from '@lockstep/shared/for-clients';
import type { Cluster, Redis } from 'ioredis';

export type { CacheOutcome, JsonValue, Policy, Row };

/** A part of a key. Whole numbers beyond 2^53 are given as text or bigint. */
export type KeyPart = string | number | bigint | boolean;
/** One part, or all parts of a composite key. */
export type Key = KeyPart | readonly KeyPart[];

/** What a row's column is set to: anything that JSON can say; a `Date` stands as its ISO text, a bigint as its digits. */
export type Columns = Readonly<Record<string, unknown>>;
/** The types of one resource. `never` for a write that it does not take. */
export interface ResourceTypes {
  key: Key;
  /** What a read answers. */
  value: unknown;
  /** What an insert takes, with or without the key's columns. */
  insert: object;
  /** What a put takes. */
  put: object;
  /** What a patch takes: some columns, and `$inc` with what is added to numeric ones. */
  patch: object;
}

/** The types of your resources, by name. `lockstep types` writes a file that declares them here. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- declaration merging fills it
export interface Resources {}

/** The types of resources, by name. */
export type Schema<S> = { [Name in keyof S]: ResourceTypes };
/** Where no types are given: any name, any row. */
export type AnySchema = Record<
  string,
  { key: Key; value: Row; insert: Columns; put: Columns; patch: PatchOf<Columns> }
>;
/** What `lockstep types` has declared; any name and any row where it has declared nothing. */
export type DeclaredSchema = keyof Resources extends never ? AnySchema : Resources;

/** Columns to set, and `$inc` with what is added to numeric columns. */
export type PatchOf<C extends object> = Partial<C> & {
  readonly $inc?: { readonly [Column in keyof C]?: number | bigint | string };
};

export interface ReadResult<Value = Row> {
  /** The row; of a resource that is a query, the list of its rows. Parsed when it is first asked for. */
  readonly value: Value;
  /** Null where the answer has none: a query's, and one from an entry of `format: raw`. */
  readonly version: number | null;
  readonly source: 'local' | 'cache' | 'primary' | 'replica';
  /** Set where another program changed the row since its version: what `ifMatch` must name then. */
  readonly etag?: string;
}

export interface WriteResult<Value = Row> {
  resource: string;
  /** In text, as the coordinator spells it. */
  key: string | string[];
  version: number;
  /** The row after the write; null after a delete, and where it did not fit into the answer. */
  value: Value | null;
  outcome: 'applied';
  /** What the write left in the cache. `pending`: something older may still be there, and is being removed. */
  cache: CacheOutcome;
  policy: Policy;
  fence: number | null;
  /** The wait for the key's lock. */
  waitMs: number;
  /** It created the row. */
  created: boolean;
}

export interface CallOptions {
  /** Bound on the whole call, its retries included. Default: the client's. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** `primary`: read the database, not the cache. */
  consistency?: 'primary';
  /** Never answer an older version. */
  minVersion?: number;
}

export interface WriteOptions extends CallOptions {
  /** The version that the row must have, else `VERSION_MISMATCH`. */
  ifVersion?: number;
  /** The entity tag that the row must have, as a read gave it. */
  ifMatch?: string;
  /** `put` only: the row must not be there. */
  ifAbsent?: boolean;
  /** A repeat with the same one applies nothing and answers the first outcome. Default: a new one; false: none. */
  idempotencyKey?: string | false;
  /** The lease that holds the key. */
  lease?: Pick<Lease, 'id'> | string;
}

export type TransactionOperation =
  | { op: 'insert'; resource: string; value: Columns }
  | {
      op: 'put';
      resource: string;
      key: Key;
      value: Columns;
      ifVersion?: number;
      ifAbsent?: boolean;
    }
  | { op: 'patch'; resource: string; key: Key; value: PatchOf<Columns>; ifVersion?: number }
  | { op: 'delete'; resource: string; key: Key; ifVersion?: number };

export interface TransactionOptions extends CallOptions {
  idempotencyKey?: string | false;
  /** The leases that hold some of the keys. */
  leases?: readonly (Pick<Lease, 'id'> | string)[];
}

/** What a column of a row must be; null: NULL. Like in SQL, no comparison holds of NULL. */
export type ColumnTest =
  | string
  | number
  | bigint
  | boolean
  | null
  | {
      $eq?: unknown;
      /** With null: it must not be NULL. */
      $ne?: unknown;
      $lt?: unknown;
      $lte?: unknown;
      $gt?: unknown;
      $gte?: unknown;
      /** One of 1 to 100 values. */
      $in?: readonly unknown[];
    };
/** Which rows: columns to what each must be. At least one; all of them must hold. */
export type Where = Readonly<Record<string, ColumnTest>>;

export interface SetOptions extends CallOptions {
  idempotencyKey?: string | false;
}

/** What a set-based write has changed. */
export interface SetResult {
  resource: string;
  /** How many rows. */
  affected: number;
  /** In the order of the keys. */
  keys: (string | string[])[];
  /** In the order of `keys`. */
  versions: number[];
  outcome: 'applied';
  /** What holds of all rows. */
  cache: CacheOutcome;
}

export interface InvalidationResult {
  resource: string;
  key: string | string[];
  cache: CacheOutcome;
}

export interface LoadContext {
  /** Fires when nobody waits for the answer any more: the loader has taken too long, or its callers have given up. */
  readonly signal: AbortSignal;
}

/**
 * Makes the value of a computed resource: anything that JSON can say; null or undefined says that there is nothing.
 *
 * It must read the present state, and of the primary: it must not run in a transaction that began before it was called,
 * or read a replica that may lag, for then a change could be missing in what it makes, and stay missing until the TTL.
 */
export type Loader<K, Value> = (key: K, context: LoadContext) => Value | Promise<Value>;

export interface ComputedOptions extends CallOptions {
  /** Bound on a run of the loader, in ms; then its signal fires. Default 10,000. */
  loadTimeoutMs?: number;
  /**
   * A loader that fails is answered for by the value before, for so long after the end of its TTL, in ms; never by one
   * that was invalidated. Default 0. Counts for values that were filled by calls with it.
   */
  staleIfErrorMs?: number;
  /** A value with at most so much of its TTL left is loaded anew in the background, in ms. Default 0: none is. */
  refreshAheadMs?: number;
  /** How long to wait for another process that runs its loader, in ms. Then this one runs, and fills nothing. Default 1,000. */
  waitMs?: number;
}

export interface ComputedResult<Value = unknown> {
  /** What the loader answered, as JSON shows it: dates are text. A copy of the caller's own. */
  readonly value: Value;
  readonly source: 'cache' | 'loader';
  /** Set where the loader failed and this is the value before, past its TTL. */
  readonly stale?: true;
}

/** A key that this process holds for work of its own. */
export interface Lease {
  readonly id: string;
  readonly resource: string;
  /** Above that of every earlier holder: give it to systems that can refuse lower ones. */
  readonly fence: number;
  /** Fires when the lease is lost, before anybody else can hold the key. Its reason is a LockstepError `LEASE_LOST`. */
  readonly signal: AbortSignal;
  readonly isHeld: boolean;
  /**
   * Gives the key up. `invalidate`: its entry goes first, for work that changed the row in the database itself.
   * @throws LockstepError `LEASE_LOST` where it was lost before, so that the work may have overlapped with another's
   */
  release(options?: CallOptions & { invalidate?: boolean }): Promise<void>;
}

/** One key of a guard. */
export interface GuardedKey {
  readonly resource: string;
  /** As `lockstep_guard` takes it: text, or the texts of a composite key's parts. */
  readonly key: string | readonly string[];
  readonly fence: number;
  /** The version that the key had when it was guarded. */
  readonly version: number;
}

/** `?` as knex and mysql2 have them; `$` as pg has them: `$1`, `$2` … */
export type Placeholders = '?' | '$';

/** A statement and its values. */
export type SqlStatement = [text: string, values: (string | number)[]];
/** The statement that calls `lockstep_guard`. */
export type GuardSql = SqlStatement;

/** Keys that a coordinator holds for a transaction of the caller's own. */
export interface Guard {
  readonly id: string;
  /** In the order in which they were asked for. */
  readonly keys: readonly GuardedKey[];
  /**
   * The statement that calls `lockstep_guard` for one of the keys. Run it in the transaction before its row is read or
   * written, once; where it fails, the transaction must be rolled back.
   * @throws LockstepError `INVALID` where the key was not guarded
   */
  sql(resource: string, key: Key, placeholders?: Placeholders): GuardSql;
  /** The fence of one of the keys, to call `lockstep_guard` oneself. @throws LockstepError `INVALID` */
  fence(resource: string, key: Key): number;
}

export interface GuardOptions extends CallOptions {
  /** How long the coordinator waits for what became of the transaction, in ms. Default 10,000. */
  ttlMs?: number;
  /** Bound on the wait for the keys' locks. Default: the coordinator's. */
  waitMs?: number;
}

/** A key of one of the resources. */
export type GuardKey<S extends Schema<S>> = {
  [N in keyof S & string]: readonly [resource: N, key: S[N]['key']];
}[keyof S & string];

export interface LeaseOptions extends CallOptions {
  /** How long the key is held without a word from this process. It is renewed until it is released. */
  ttlMs: number;
  /** Bound on the wait for the key's lock. Default: the coordinator's. */
  waitMs?: number;
}

/** The operations that a client and its sessions have. */
export interface Operations<S extends Schema<S> = DeclaredSchema> {
  /** The row, or null where there is none. @throws LockstepError */
  get<N extends keyof S & string>(
    resource: N,
    key: S[N]['key'],
    options?: ReadOptions,
  ): Promise<ReadResult<S[N]['value']> | null>;
  /** The same for many keys, in their order. The first key that fails fails the call. */
  getMany<N extends keyof S & string>(
    resource: N,
    keys: readonly S[N]['key'][],
    options?: ReadOptions,
  ): Promise<(ReadResult<S[N]['value']> | null)[]>;
  /** Inserts a row whose key the database makes. */
  insert<N extends keyof S & string>(
    resource: N,
    value: S[N]['insert'],
    options?: Omit<WriteOptions, 'ifVersion' | 'ifMatch' | 'ifAbsent' | 'lease'>,
  ): Promise<WriteResult<S[N]['value']>>;
  /** Inserts or replaces the row. */
  put<N extends keyof S & string>(
    resource: N,
    key: S[N]['key'],
    value: S[N]['put'],
    options?: WriteOptions,
  ): Promise<WriteResult<S[N]['value']>>;
  /** Changes some columns. @throws LockstepError `NOT_FOUND` where there is no row */
  patch<N extends keyof S & string>(
    resource: N,
    key: S[N]['key'],
    value: S[N]['patch'],
    options?: Omit<WriteOptions, 'ifAbsent'>,
  ): Promise<WriteResult<S[N]['value']>>;
  /** @throws LockstepError `NOT_FOUND` where there is no row */
  delete<N extends keyof S & string>(
    resource: N,
    key: S[N]['key'],
    options?: Omit<WriteOptions, 'ifAbsent'>,
  ): Promise<WriteResult<S[N]['value']>>;
  /**
   * Changes some columns of all rows that match, or of none; each is a write of its key.
   * @throws LockstepError `TOO_LARGE` where more match than `limits.transactionOperations`, and nothing is changed
   */
  updateWhere<N extends keyof S & string>(
    resource: N,
    where: Where,
    value: S[N]['patch'],
    options?: SetOptions,
  ): Promise<SetResult>;
  /** Deletes all rows that match, or none. @throws LockstepError as `updateWhere` */
  deleteWhere<N extends keyof S & string>(
    resource: N,
    where: Where,
    options?: SetOptions,
  ): Promise<SetResult>;
  /** All of them or none. `details.operation` of an error says which one was refused. */
  transaction(
    operations: readonly TransactionOperation[],
    options?: TransactionOptions,
  ): Promise<WriteResult[]>;
  /** For a program that changed the database itself: its keys' entries go. */
  invalidate(
    keys: readonly { resource: string; key: Key }[],
    options?: CallOptions,
  ): Promise<InvalidationResult[]>;
}

/** When and how often a call is tried again. Only what may succeed is: what is `retryable`, and unknown outcomes by the same key. */
export interface RetryOptions {
  /** Attempts of one call, the first included. Default 4; 1: none is repeated. */
  maxAttempts?: number;
  /** The wait before the n-th retry is drawn evenly from 0 to `baseMs * 2^n`. Default 20. */
  baseMs?: number;
  /** Bound on that wait. Default 2,000. */
  maxMs?: number;
  /** Retries that all calls together may add, as a part of the calls. Default 0.2, and some for a beginning. */
  budgetRatio?: number;
}

/** The memory of a client, for resources whose configuration says `level: local`. Used where it reads from one Redis server. */
export interface LocalOptions {
  /** Bound on what is kept of all resources, in bytes. Default 32 MiB. */
  maxBytes?: number;
  /** An answer from memory stood in the cache at most so long ago, in ms. At least 20. Default 1,000. */
  maxLagMs?: number;
}

export interface ClientOptions {
  /** The coordinator's address. */
  url: string;
  /** A service token; absent where the coordinators ask for none. */
  token?: string;
  /**
   * The coordinators' cache: an ioredis `Redis` or `Cluster`, of which the client opens a connection of its own, or a
   * URL. Absent: all reads go to the coordinator.
   */
  redis?: Redis | Cluster | string;
  /** How much is kept in memory of resources of level `local`, and how old it may be. False: nothing is kept. */
  local?: LocalOptions | false;
  /** Bound on a call without `timeoutMs`. Default 10,000. */
  timeoutMs?: number;
  /** Bound on the cache's answer; a read that has waited so long goes to the coordinator. Default 250. */
  redisTimeoutMs?: number;
  /** Whether writes carry an idempotency key: all of them, or by resource. Default: true. */
  idempotencyKeys?: boolean | Readonly<Record<string, boolean>>;
  retries?: RetryOptions;
  /** Most connections to the coordinator. Default 16. */
  connections?: number;
  /** Batches that are in flight while fewer calls wait than go into one. Default 2. */
  batchesInFlight?: number;
  /** How often the resources are asked for again. Default 10,000. */
  catalogRefreshMs?: number;
  /** Keys whose versions a session remembers; what it has seen of older ones is forgotten. Default 10,000. */
  sessionKeys?: number;
}

export interface Client<S extends Schema<S> = DeclaredSchema> extends Operations<S> {
  /** Reads at least what it has seen or written itself: one for each user. The client itself is one too. */
  session(): Operations<S>;
  /**
   * The value of a computed resource: the cached one, or what the loader answers. It runs once for all who ask at the
   * same time, and its answer is cached unless something that it depends on has changed since it began.
   * @throws LockstepError; what the loader throws, as it is
   */
  computed<N extends keyof S & string, K extends S[N]['key'], Value>(
    resource: N,
    key: K,
    load: Loader<K, Value>,
    options?: ComputedOptions,
  ): Promise<ComputedResult<Value>>;
  /** Holds a key for work of the caller's own, until it is released. @throws LockstepError `LOCK_TIMEOUT` … */
  lease<N extends keyof S & string>(
    resource: N,
    key: S[N]['key'],
    options: LeaseOptions,
  ): Promise<Lease>;
  /** Holds a key while `work` runs, and releases it however that ends. */
  withLease<N extends keyof S & string, T>(
    resource: N,
    key: S[N]['key'],
    options: LeaseOptions,
    work: (lease: Lease) => Promise<T>,
  ): Promise<T>;
  /**
   * Runs `work`, which changes rows of strict resources in a transaction of its own, so that no strict reader ever sees
   * an old value. `work` calls `lockstep_guard` in the transaction (`guard.sql`), and returns once it has committed: then
   * this publishes, and answers what `work` did. Where `work` throws, its transaction must be rolled back, and the keys
   * are freed.
   * @throws what `work` throws; LockstepError `LOCK_TIMEOUT` …; `GUARD_LOST` where what became of the transaction is not
   *   what `work` said: `outcome` says it (`applied`: it has committed though `work` threw, which is the `cause`)
   */
  guard<T>(
    keys: readonly GuardKey<S>[],
    work: (guard: Guard) => Promise<T>,
    options?: GuardOptions,
  ): Promise<T>;
  /** Resolves when resources are known and, where there is one, the cache is read directly; rejects after `timeoutMs`. */
  ready(options?: CallOptions): Promise<void>;
  /** Refuses further calls, waits for those in flight, and closes the client's own connections. */
  close(): Promise<void>;
}
