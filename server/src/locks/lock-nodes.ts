/** A lock that a majority of lock nodes granted. Plain data: whoever has it can extend and release it. */
export interface Grant {
  readonly lockKey: string;
  /** Random; tells this grant from every other one of the same key. */
  readonly token: string;
}

/**
 * The lock nodes as the locks need them: one attempt each, no waiting, no clock. How long a grant is proved valid is
 * for the caller to say, from its own clock read *before* the call.
 *
 * No method rejects because a node fails; a rejection is a defect.
 */
export interface LockNodes {
  /**
   * Tries once.
   * `contended`: a majority of nodes answered, and another holder (or another attempt at the same moment) was in the way.
   * `unavailable`: no majority answered in time. Whatever a minority granted is given back by then, or expires.
   */
  tryAcquire(lockKey: string, ttlMs: number): Promise<Grant | 'contended' | 'unavailable'>;
  /**
   * Sets the time to live of a held lock back to `ttlMs`.
   * `lost`: a majority says that this grant does not hold the lock any more.
   * `unavailable`: neither; the lock may still be held.
   */
  extend(grant: Grant, ttlMs: number): Promise<'extended' | 'lost' | 'unavailable'>;
  /** Removes the lock where it is still this grant's. `gone`: it had expired or was taken, which is no fault. */
  release(grant: Grant): Promise<'released' | 'gone' | 'unavailable'>;
}
