import type { Key } from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';

/** A lease as its caller knows it. */
export interface LeaseGrant {
  id: string;
  key: Key;
  /**
   * Higher than that of every earlier holder of the key, and stored in the database, so that none of them can commit
   * any more. For the caller's own work elsewhere: a system that keeps the highest fence it has seen can refuse lower
   * ones.
   */
  fence: number;
  /** By the wall clock, for people and logs. The lease itself ends by this process's monotonic clock. */
  expiresAtMs: number;
}

/**
 * The lease's lock, as one write within the lease has it. It knows which fences the database may have for the key, so
 * that the database refuses the write if the key had another holder in between, even where nobody noticed that the lock
 * was lost.
 */
export interface LeasedLock extends HeldLock {
  readonly heldFences: readonly number[];
  /** Above all held fences; for policies whose writes mint no fences themselves. */
  nextFence(): number;
  /** The database has stored this fence for the write. */
  stored(fence: number): void;
  /** A statement with this fence got no answer: the fence may be stored. */
  mayHaveStored(fence: number): void;
  /** The write may have left an intent; it is recovered once the lease is over and its lock is free. */
  leftIntent(): void;
  /** The database has a fence that is not among the held ones: ends the lease. @returns the error for the caller */
  superseded(): Error;
}

/** A lease as operators see it. */
export interface LeaseView {
  resource: string;
  key: string;
  /** Time until it ends, unless its caller extends it. */
  leftMs: number;
  /** The time for which it was last granted or extended. */
  ttlMs: number;
}

/** What writers need from the leases of this process. */
export interface LeasedLocks {
  /**
   * The lock for one write within a lease, once the earlier writes have ended.
   * @throws LockstepError `UNKNOWN_LEASE`, `FENCED` where the lease was lost, `INVALID` where it is for another key,
   *   `QUEUE_FULL`, `LOCK_TIMEOUT`
   */
  acquire(id: string, key: Key, waitTimeoutMs?: number): Promise<LeasedLock>;
  /** The key of a lease that is still held. @throws LockstepError `UNKNOWN_LEASE`, `FENCED` */
  keyOf(id: string): Key;
  /** Whether a lease of this process holds the key. */
  isLeased(key: Key): boolean;
}

export interface LeaseService extends LeasedLocks {
  /**
   * Holds the key for a caller. The fence is given out only while the lock is proved held.
   * @throws LockstepError those of `LockService.acquire`; `RATE_LIMITED` where this process holds as many leases as it
   *   may; `CACHE_UNAVAILABLE` (strict), `DATABASE_UNAVAILABLE`, `FENCED`
   */
  grant(key: Key, ttlMs: number, waitTimeoutMs?: number, caller?: string): Promise<LeaseGrant>;
  /**
   * Makes the lease last `ttlMs` from now, but not beyond the limit on its life.
   * @throws LockstepError `UNKNOWN_LEASE`, `FENCED`
   */
  extend(id: string, ttlMs: number): LeaseGrant;
  /** Ends the lease; its lock is free once a write in flight has ended. @throws LockstepError `UNKNOWN_LEASE`, `FENCED` */
  release(id: string): void;
  /** The number of leases held now. */
  readonly size: number;
  /** The leases held now, for operators. Without their ids, since an id lets anyone write. */
  held(): LeaseView[];
  /** Ends all leases, and grants no more. */
  close(): void;
}
