import type { HeldLockView } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';

export type LockPurpose = HeldLockView['purpose'];

/**
 * One turn at holding a key: this process's queue let the caller through and a majority of lock nodes granted the
 * Redlock. A watchdog extends it until it is released, lost, or older than the bound on a turn.
 */
export interface HeldLock {
  readonly key: Key;
  /** From the call to `acquire` until the turn began, in ms. */
  readonly waitMs: number;
  /** Of that: waiting in this process's own queue. */
  readonly queueMs: number;
  /** Time that the lock is still proved valid, on the own monotonic clock; 0 when lost. */
  leftMs(): number;
  /** @throws LockstepError `FENCED` when the lock is not proved valid any more. Call right before anything is sent. */
  assertHeld(): void;
  /** What the turn before left standing for this one, together with the lock; null where it left nothing. */
  readonly handedOverIntent: Intent | null;
  /** Whether somebody who `acceptsIntent` waits in this process and gets the lock when the turn ends now. */
  canHandOverIntent(): boolean;
  /**
   * Ends the turn: hands the lock to the next waiter of this process or releases it. Returns at once, never throws;
   * idempotent.
   * @param intentForNext for the one who follows; only where `canHandOverIntent`
   */
  release(intentForNext?: Intent): void;
  /** Moves the bound on this turn: it may last so long from now. Nothing where it is over. */
  limitTo(durationMs: number): void;
  /** Lets the live stream show the fence. */
  noteFence(fence: number): void;
}

export interface AcquireOptions {
  purpose: LockPurpose;
  /** Bound on queue and lock together. Default from the configuration. */
  waitTimeoutMs?: number;
  /** The caller writes under the intent that the turn before may leave, or has it recovered. */
  acceptsIntent?: boolean;
}

export interface LockService {
  /**
   * Waits in this process's FIFO queue for the key, then acquires the Redlock.
   * @throws LockstepError `QUEUE_FULL`, `LOCK_TIMEOUT`, `LOCKS_UNAVAILABLE`, `SHUTTING_DOWN`
   */
  acquire(key: Key, options: AcquireOptions): Promise<HeldLock>;
  readonly ttlMs: number;
  /** The wait of callers who give no bound. */
  readonly waitTimeoutMs: number;
  /** What this process holds and who waits, for the live stream and the key page. */
  snapshot(): LockSnapshot;
  /** Refuses new turns, waits for running ones (at most `timeoutMs`), releases everything. */
  close(timeoutMs: number): Promise<void>;
}

export interface LockSnapshot {
  held: Omit<HeldLockView, 'instance'>[];
  waiting: { resource: string; key: string; waiting: number; longestWaitMs: number }[];
}
