import type { CacheOutcome, JsonValue, Policy, Row } from '@lockstep/shared';
import type { LogPosition } from './log-position.ts';
import type { Key, Resource } from './resource.ts';

/** What a write does to its row; values are checked against the table's columns (`database/` knows how to bind them). */
export type Change =
  /** Inserts or replaces: columns that are not given get their default. */
  | { op: 'put'; set: Row; onlyCreate: boolean }
  /** Changes some columns of a row that is there. `increment` holds exact decimal text. */
  | { op: 'patch'; set: Row; increment: Record<string, string> }
  | { op: 'delete' };

/** A caller's idempotency key, and the hash of all that makes its request what it is. */
export interface Idempotency {
  key: string;
  requestHash: string;
}

/** A write as a caller asks for it. */
export interface WriteRequest {
  key: Key;
  /**
   * The database made the key for this very call, after it found no outcome of the idempotency key. If another call with
   * that idempotency key comes first, the key of that one is answered.
   */
  isNewKey?: true;
  change: Change;
  /** The version that the key must have (`If-Match`). */
  ifMatch?: number;
  /** Beside `ifMatch`: the tag that the row must have; absent: none (`EntityTag`). */
  ifMatchTag?: string;
  idempotency?: Idempotency;
  /** Bound on the wait for the lock, in ms (`Lockstep-Timeout`). */
  waitTimeoutMs?: number;
  /** The lease under which it goes through (`Lockstep-Lease`). */
  leaseId?: string;
}

/** One of several writes. */
export interface TransactedWrite extends Pick<
  WriteRequest,
  'key' | 'isNewKey' | 'change' | 'ifMatch' | 'ifMatchTag'
> {
  /** Nothing is sent for it: a foreign key changes the row with that of another write. Its `change` is empty. */
  byForeignKey?: true;
}

/** A row to be inserted whose key the database makes, or a part of the key. */
export interface NewRow {
  resource: Resource;
  /** The parts of the key that the caller gives, in canonical text, by column. */
  parts: Readonly<Record<string, string>>;
  /** The other columns that the caller gives. */
  set: Row;
}

/** Asks for the keys of new rows, before they are written. */
export interface NewKeysRequest {
  /** `operation`: the place of the row's write in its transaction; absent: it is written by itself. */
  rows: readonly (NewRow & { operation?: number })[];
  /** That of the write, or of the transaction. */
  idempotency?: Idempotency;
}

export interface NewKeys {
  /** In the order of the rows. */
  keys: Key[];
  /** These are the keys of an earlier request with the same idempotency key, whose writes were applied. */
  areRepeated: boolean;
}

/** Several writes, all or nothing. All of different keys. */
export interface TransactionRequest {
  writes: readonly TransactedWrite[];
  idempotency?: Idempotency;
  /** Bound on the wait for all locks together, in ms. */
  waitTimeoutMs?: number;
  /** Leases that hold some of the keys already. */
  leaseIds?: readonly string[];
}

/** An acknowledged write. */
export interface WriteReceipt {
  key: Key;
  created: boolean;
  version: number;
  /** The row after the write; null after a delete. */
  value: Row | null;
  outcome: 'applied';
  cache: CacheOutcome;
  policy: Policy;
  /** Null where the policy takes no lock. */
  fence: number | null;
  /** Time from the call until the write held the key's lock. */
  waitMs: number;
  /** This is the answer of an earlier request with the same idempotency key. */
  replayed: boolean;
  /** Whatever has reached it has this write; `*`: the primary alone is known to. Absent where there are no replicas. */
  position?: LogPosition;
}

export type { JsonValue, Row };
