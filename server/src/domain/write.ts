import type { CacheOutcome, JsonValue, Policy, Row } from '@lockstep/shared';
import type { LogPosition } from './log-position.ts';
import type { Key } from './resource.ts';

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
  'key' | 'change' | 'ifMatch' | 'ifMatchTag'
> {
  /**
   * No statement is sent for it, because a foreign key changes the row together with another one. Its `change` is
   * empty.
   */
  byForeignKey?: true;
}

/** Several writes of different keys, of which all or none are applied. */
export interface TransactionRequest {
  writes: readonly TransactedWrite[];
  idempotency?: Idempotency;
  /** The longest wait for all locks together, in ms. */
  waitTimeoutMs?: number;
  /** Leases that already hold some of the keys. */
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
