import type { HeldLockView } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';

export type LockPurpose = HeldLockView['purpose'];

/**
 * A caller's hold of a key: the queue of this process let the caller through, and a majority of lock nodes granted the
 * Redlock. A watchdog extends the lock until it is released, lost, or held for longer than a caller may hold it.
 */
export interface HeldLock {
  readonly key: Key;
  /** From the call of `acquire` until the caller held the key, in ms. */
  readonly waitMs: number;
  /** The part of `waitMs` that was spent in this process's queue. */
  readonly queueMs: number;
  /** How long the lock is still proved held, by this process's monotonic clock; 0 once lost or released. */
  leftMs(): number;
  /** @throws LockstepError `FENCED` when the lock is no longer proved held. Call it right before anything is sent. */
  assertHeld(): void;
  /** The intent that the previous holder handed over together with the lock, or null. */
  readonly handedOverIntent: Intent | null;
  /** Whether the next waiter in this process accepts an intent and would get the lock if it were released now. */
  canHandOverIntent(): boolean;
  /** Calls the listener once when the next caller of this process begins to wait for the key, while this hold lasts. */
  onNextWaiter(listener: () => void): void;
  /**
   * Takes those out of this process's queue that wait next for the key and may be served with this hold, in the order in
   * which they arrived. Each counts as a hold of its own against the limits that let other processes have the key.
   * @param max at most so many
   * @param mayFollow whether this one may; the first that may not, and all behind it, stay in the queue
   */
  takeFollowers(max: number, mayFollow: (follower: Follower) => boolean): readonly Follower[];
  /**
   * Hands the lock off to the next waiter in this process, or releases it. Returns at once, never throws; idempotent.
   * @param intentForNext for the next holder; only where `canHandOverIntent`
   */
  release(intentForNext?: Intent): void;
  /** Moves the limit of this hold: it may last `durationMs` from now. Does nothing once it is over. */
  limitTo(durationMs: number): void;
  /** Shows the fence in the live stream. */
  noteFence(fence: number): void;
}

export interface AcquireOptions {
  purpose: LockPurpose;
  /** The longest wait, for the queue and the nodes together. The default comes from the configuration. */
  waitTimeoutMs?: number;
  /** The caller writes under the intent that the previous holder may hand over, or has it recovered. */
  acceptsIntent?: boolean;
}

/** A caller whose work another caller of this process may do with its own, under one hold. */
export interface Follower {
  /** It has been taken along: it gets no lock of its own. `waitMs`: how long it has waited. */
  taken(waitMs: number): void;
}

export interface LockService {
  /**
   * Waits in this process's FIFO queue for the key, then acquires the Redlock.
   * @throws LockstepError `QUEUE_FULL`, `LOCK_TIMEOUT`, `LOCKS_UNAVAILABLE`, `SHUTTING_DOWN`
   */
  acquire(key: Key, options: AcquireOptions): Promise<HeldLock>;
  /**
   * The same for a caller that may be served with the holder ahead of it.
   * @returns null if a holder has taken the follower along
   */
  acquireOrFollow(key: Key, options: AcquireOptions, follower: Follower): Promise<HeldLock | null>;
  readonly ttlMs: number;
  /** The longest wait of callers that set none. */
  readonly waitTimeoutMs: number;
  /** What this process holds and who waits, for the live stream and the key page. */
  snapshot(): LockSnapshot;
  /** Refuses new callers, waits for the present holders (at most `timeoutMs`), then releases everything. */
  close(timeoutMs: number): Promise<void>;
}

export interface LockSnapshot {
  held: Omit<HeldLockView, 'instance'>[];
  waiting: { resource: string; key: string; waiting: number; longestWaitMs: number }[];
}
