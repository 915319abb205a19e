import type { Key } from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';

/** A lease as its caller knows it. */
export interface LeaseGrant {
  id: string;
  key: Key;
  /**
   * Higher than that of every turn at the key before, and stored in the database: none of those can commit any more.
   * For the caller's own work elsewhere: whoever keeps the highest fence that it has seen can refuse lower ones.
   */
  fence: number;
  /** By the wall clock, for people and logs. What counts is measured on this process's own monotonic clock. */
  expiresAtMs: number;
}

/**
 * One write within a lease: a turn within the lease's own turn at the key. It says which fences the database may have
 * for the key, so that the write is refused where any other turn has come in between, whatever became of the lock.
 */
export interface LeasedLock extends HeldLock {
  readonly heldFences: readonly number[];
  /** Above all of the held ones; for policies whose writes mint none themselves. */
  nextFence(): number;
  /** The database has stored this fence under this turn. */
  stored(fence: number): void;
  /** A statement with this fence got no answer: it may be stored. */
  mayHaveStored(fence: number): void;
  /** A write under it may have left an intent; it is recovered when the lease is over, for it has the lock. */
  leftIntent(): void;
  /** The database has a fence that is none of the held ones: the lease is over. Answers the error for the caller. */
  superseded(): Error;
}

/** A lease as operators see it. */
export interface LeaseView {
  resource: string;
  key: string;
  /** Time until it ends unless its caller extends it. */
  leftMs: number;
  /** What it was granted or extended for last. */
  ttlMs: number;
}

/** What writers need of the leases of this process. */
export interface LeasedLocks {
  /**
   * The next turn within a lease, when the writes before it have ended.
   * @throws LockstepError `UNKNOWN_LEASE`, `FENCED` where it was lost, `INVALID` where it is one of another key,
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
   * Holds the key for a caller. Nothing is granted unless the lock is proved held when the fence is answered.
   * @throws LockstepError those of `LockService.acquire`; `RATE_LIMITED` where this process holds as many leases as it
   *   may; `CACHE_UNAVAILABLE` (strict), `DATABASE_UNAVAILABLE`, `FENCED`
   */
  grant(key: Key, ttlMs: number, waitTimeoutMs?: number, caller?: string): Promise<LeaseGrant>;
  /**
   * Lets the lease last so long from now, but never longer than the bound on its life.
   * @throws LockstepError `UNKNOWN_LEASE`, `FENCED`
   */
  extend(id: string, ttlMs: number): LeaseGrant;
  /** Ends the lease; a write under way within it ends first. @throws LockstepError `UNKNOWN_LEASE`, `FENCED` */
  release(id: string): void;
  /** Leases that are held now. */
  readonly size: number;
  /** The same one by one, for operators. Without their ids, by which whoever has one may write. */
  held(): LeaseView[];
  /** Grants no more, and ends all of them. */
  close(): void;
}
