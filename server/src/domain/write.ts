import type { CacheOutcome, JsonValue, Policy, Row } from '@lockstep/shared';
import type { LogPosition } from './log-position.ts';
import type { Key, Resource } from './resource.ts';
import type { RowFilter } from './row-filter.ts';

/** What a write does to its row. The values have been checked against the table's columns. */
export type Change =
  /** Inserts or replaces: columns that are not given get their default. */
  | { op: 'put'; set: Row; onlyCreate: boolean }
  /** Changes some columns of a row that is there. `increment` holds exact decimal text. */
  | { op: 'patch'; set: Row; increment: Record<string, string> }
  | { op: 'delete' };

/** A caller's idempotency key, and a hash of everything that its request asks for. */
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
  /** With `ifMatch`: the tag that the row must have; absent: none (`EntityTag`). */
  ifMatchTag?: string;
  idempotency?: Idempotency;
  /** The longest wait for the lock, in ms (`Lockstep-Timeout`). */
  waitTimeoutMs?: number;
  /** The lease within which it is carried out (`Lockstep-Lease`). */
  leaseId?: string;
}

/** One of several writes. */
export interface TransactedWrite extends Pick<
  WriteRequest,
  'key' | 'isNewKey' | 'change' | 'ifMatch' | 'ifMatchTag'
> {
  /**
   * No statement is sent for it, because a foreign key changes the row together with another one. Its `change` is
   * empty.
   */
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

/** Several writes of different keys, of which all or none are applied. */
export interface TransactionRequest {
  writes: readonly TransactedWrite[];
  idempotency?: Idempotency;
  /** Each row must match it when it is locked, those of `byForeignKey` aside; else nothing is applied. */
  where?: RowFilter;
  /** The longest wait for all locks together, in ms. */
  waitTimeoutMs?: number;
  /** Leases that already hold some of the keys. */
  leaseIds?: readonly string[];
}

/** One change of all rows that match, of which all or none are changed. */
export interface SetRequest {
  resource: Resource;
  where: RowFilter;
  change: Exclude<Change, { op: 'put' }>;
  /** More rows are refused. */
  most: number;
  idempotency?: Idempotency;
  /** The longest wait for all locks together, in ms. */
  waitTimeoutMs?: number;
}

/** An acknowledged set: the receipts of the rows that were changed, in the order of their keys. */
export interface SetReceipt {
  receipts: WriteReceipt[];
  /** As in `WriteReceipt`. */
  replayed: boolean;
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
  /** Null if the policy takes no lock. */
  fence: number | null;
  /** Time from the call until the write held the key's lock. */
  waitMs: number;
  /** This is the answer of an earlier request with the same idempotency key. */
  replayed: boolean;
  /**
   * A log position: whatever has reached it has this write; `*`: only the primary is known to. Absent without replicas.
   */
  position?: LogPosition;
}

export type { JsonValue, Row };
