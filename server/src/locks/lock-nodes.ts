/** A lock that a majority of lock nodes granted. Plain data: anyone who has it can extend and release the lock. */
export interface Grant {
  readonly lockKey: string;
  /** Random; differs for each grant of a key. */
  readonly token: string;
}

/**
 * The lock nodes as the locks need them: each call is one attempt, without waiting and without a clock. The caller
 * works out how long a grant is proved valid, from its own clock read *before* the call.
 *
 * No method rejects because a node fails; a rejection is a defect.
 */
export interface LockNodes {
  /**
   * Tries once.
   * `contended`: a majority of nodes answered, and another holder (or an attempt at the same moment) was in the way.
   * `unavailable`: no majority answered in time. What a minority granted has been given back by then, or expires.
   */
  tryAcquire(lockKey: string, ttlMs: number): Promise<Grant | 'contended' | 'unavailable'>;
  /**
   * Sets the time to live of a held lock back to `ttlMs`.
   * `lost`: a majority says that this grant no longer holds the lock.
   * `unavailable`: neither; the lock may still be held.
   */
  extend(grant: Grant, ttlMs: number): Promise<'extended' | 'lost' | 'unavailable'>;
  /** Removes the lock if this grant still holds it. `gone`: it had expired or was taken, which is not an error. */
  release(grant: Grant): Promise<'released' | 'gone' | 'unavailable'>;
  /** Which group of nodes votes on this lock: a small number. A group that does not answer says nothing of the others. */
  groupOf(lockKey: string): number;
}
