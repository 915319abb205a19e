import type { CacheOutcome, JsonValue, Policy, Row } from '@lockstep/shared';
import type { LogPosition } from './log-position.ts';
import type { Key } from './resource.ts';

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
  'key' | 'change' | 'ifMatch' | 'ifMatchTag'
> {
  /** Nothing is sent for it: a foreign key changes the row with that of another write. Its `change` is empty. */
  byForeignKey?: true;
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
