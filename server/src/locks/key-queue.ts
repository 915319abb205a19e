/**
 * One key in this process: the callers that wait for it, and the one that holds it.
 *
 * States of a queue
 *   idle        just made; waits for its first caller
 *   acquiring   this process tries to get the lock from the nodes, for the first waiter
 *   held        a caller holds the lock; all others wait
 *   yielding    the process lock is used up and released: another process that waits may take it
 *   retired     nobody holds or waits; the service has forgotten this queue
 *
 *   idle -> acquiring                the first caller arrives
 *   acquiring -> held                the lock is granted and somebody still waits
 *   acquiring -> retired             nobody waits any more, or no majority of nodes answers
 *   held -> held                     the caller releases, and the lock is handed off to the next waiter
 *   held -> yielding                 the caller releases, others wait, and the process lock is used up
 *   held -> acquiring                the lock is lost and others wait
 *   held -> retired                  the lock is released or lost, and nobody waits
 *   yielding -> acquiring            no other process waits, or the pause for it is over
 *   yielding -> retired              a defect of the nodes (also from acquiring)
 *
 * States of a hold
 *   held   the lock was proved held when it was last checked
 *   over   released by its caller, lost, or taken away when the process ends; final
 *
 * Invariants
 *   - At most one caller holds the key, and only in `held`; a process lock exists exactly in `held`.
 *   - Callers get the key in the order in which they arrived. A holder may take those along that are next and let
 *     themselves be taken along; nobody who waits is passed over.
 *   - Every caller is answered exactly once, and its timer is cancelled by then.
 *   - Every grant is given back exactly once.
 *   - A retired queue takes no callers: the key's next caller gets a new queue.
 */
import type { Intent } from '../cache/port.ts';
import { LockstepError, type Key } from '../domain/index.ts';
import type { Timer } from '../runtime/index.ts';
import {
  Acquisition,
  type AcquisitionOptions,
  type AcquisitionResult,
  LAST_RETRY_MS,
} from './acquisition.ts';
import type { LockOptions } from './lock-options.ts';
import type { Failure, LockTelemetry } from './lock-telemetry.ts';
import type { AcquireOptions, Follower, HeldLock, LockPurpose } from './port.ts';
import { ProcessLock } from './process-lock.ts';
import { WaitMarker } from './wait-marker.ts';

/**
 * Pause after a used-up process lock where another process waits. Longer than the pause between two of its attempts
 * and their round trips, so that every waiting process makes at least one attempt.
 */
const YIELD_MS = LAST_RETRY_MS + 10;

/** What all queues of a service share. */
export interface KeyQueueOptions extends AcquisitionOptions {
  limits: LockOptions;
  telemetry: LockTelemetry;
  onRetired: (queue: KeyQueue) => void;
}

/** A caller that waits for the key. */
interface Waiter {
  /** As its caller names the row. */
  readonly key: Key;
  readonly purpose: LockPurpose;
  readonly acceptsIntent: boolean;
  readonly arrivedAtMs: number;
  /** Somebody was ahead of it when it arrived. */
  readonly queuedBehind: boolean;
  /** When it became first in the queue; null while others are ahead. */
  headAtMs: number | null;
  timer: Timer | null;
  /** Not null: a holder may take it along. */
  readonly follower: Follower | null;
  readonly resolve: (lock: HeldLock | null) => void;
  readonly reject: (error: Error) => void;
}

export class KeyQueue {
  readonly key: Key;
  readonly #options: KeyQueueOptions;
  /** In order of arrival, which a set keeps; anyone may leave from anywhere in constant time. */
  readonly #waiters = new Set<Waiter>();
  #state: 'idle' | 'acquiring' | 'held' | 'yielding' | 'retired' = 'idle';
  #acquisition: Acquisition | null = null;
  #hold: CallerHold | null = null;

  constructor(options: KeyQueueOptions, key: Key) {
    this.#options = options;
    this.key = key;
  }

  /** The present hold. */
  get hold(): CallerHold | null {
    return this.#hold;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  get longestWaitMs(): number {
    const head = this.#head();
    return head === null ? 0 : this.#nowMs() - head.arrivedAtMs;
  }

  /**
   * Queues a caller. Must not be called once retired.
   * @param follower not null: a holder may take it along
   * @returns null once a holder has taken it along
   */
  acquire(
    key: Key,
    { purpose, waitTimeoutMs, acceptsIntent = false }: AcquireOptions,
    follower: Follower | null,
  ): Promise<HeldLock | null> {
    const { limits, runtime } = this.#options;
    const arrivedAtMs = this.#nowMs();
    if (this.#waiters.size >= limits.maxWaitersPerKey) {
      return Promise.reject(this.#failure('QUEUE_FULL', arrivedAtMs));
    }
    const queuedBehind = this.#state !== 'idle';
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        key,
        purpose,
        acceptsIntent,
        arrivedAtMs,
        queuedBehind,
        headAtMs: null,
        timer: null,
        follower,
        resolve,
        reject,
      };
      const timeoutMs = waitTimeoutMs ?? limits.waitTimeoutMs;
      waiter.timer = runtime.timers.after(timeoutMs, () => this.#timeOut(waiter));
      this.#waiters.add(waiter);
      if (this.#state === 'idle') this.#acquire();
      else this.#markHead();
      this.#hold?.noteWaiter();
    });
  }

  canHandOverIntent({ processLock }: CallerHold): boolean {
    return (
      this.#head()?.acceptsIntent === true &&
      processLock.leftMs() > 0 &&
      processLock.canServeAnother()
    );
  }

  /** Takes those along that are next in the queue, at most `max`, and within what the process lock may still serve. */
  takeFollowers(
    { processLock }: CallerHold,
    max: number,
    mayFollow: (follower: Follower) => boolean,
  ): readonly Follower[] {
    const followers: Follower[] = [];
    const count = Math.min(max, processLock.servesMore());
    for (const waiter of this.#waiters) {
      const { follower, arrivedAtMs } = waiter;
      if (followers.length >= count || follower === null || !mayFollow(follower)) break;
      this.#remove(waiter);
      const waitMs = this.#nowMs() - arrivedAtMs;
      this.#options.telemetry.acquired(this.key, waitMs, 0, true);
      follower.taken(waitMs);
      waiter.resolve(null);
      followers.push(follower);
    }
    processLock.countHolds(followers.length);
    return followers;
  }

  /** The caller releases its hold. */
  release(hold: CallerHold, intentForNext: Intent | null): void {
    const { processLock } = hold;
    if (processLock.leftMs() <= 0) return this.#lose(hold, 'expired');
    this.#endHold(hold);
    this.#options.telemetry.released(this.key, hold.startedAtMs);
    const next = processLock.canServeAnother() ? this.#takeHead() : null;
    if (next !== null) return this.#startHold(next, processLock, 0, intentForNext);
    this.#endProcessLock(processLock);
    if (this.#waiters.size === 0) return this.#retire();
    this.#yield();
  }

  /** The time of the hold ran out, and its caller noticed before any timer did. */
  expire(hold: CallerHold): void {
    this.#lose(hold, 'expired');
  }

  /** Rejects everyone who waits. */
  refuseWaiters(code: Failure, cause?: unknown): void {
    for (const waiter of [...this.#waiters]) {
      this.#remove(waiter);
      waiter.reject(this.#failure(code, waiter.arrivedAtMs, cause));
    }
  }

  /** Takes the lock away from a caller that did not release it in time. */
  takeAway(): void {
    const hold = this.#hold;
    if (hold === null) return;
    this.#endHold(hold);
    this.#options.telemetry.released(this.key, hold.startedAtMs);
    this.#endProcessLock(hold.processLock);
    this.#acquireOrRetire();
  }

  #yield(): void {
    this.#state = 'yielding';
    new WaitMarker(this.#options, this.key).isSetByAnother().then(
      (isSet) => {
        if (isSet) this.#options.runtime.timers.after(YIELD_MS, () => this.#acquire());
        else this.#acquire();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #acquire(): void {
    this.#state = 'acquiring';
    this.#acquisition = new Acquisition(this.#options, this.key);
    this.#markHead();
    this.#acquisition
      .run(() => this.#waiters.size > 0)
      .then(
        (result) => this.#acquired(result),
        (error: unknown) => this.#fail(error),
      );
  }

  /** A defect: no waiter can be served. */
  #fail(error: unknown): void {
    this.#options.runtime.log.error({ err: error, lockKey: this.key.lockKey }, 'locking failed');
    this.refuseWaiters('INTERNAL', error);
    this.#retire();
  }

  #acquired(result: AcquisitionResult): void {
    if (result === 'abandoned') return this.#acquireOrRetire();
    if (result === 'unavailable') {
      this.refuseWaiters('LOCKS_UNAVAILABLE');
      return this.#retire();
    }
    const next = this.#takeHead();
    if (next === null) {
      this.#options.giveBack(result.grant);
      return this.#retire();
    }
    const { nodes, runtime, limits } = this.#options;
    const processLock: ProcessLock = new ProcessLock({
      nodes,
      runtime,
      limits,
      grant: result.grant,
      startedAtMs: result.startedAtMs,
      onLost: (how) => {
        if (this.#hold?.processLock === processLock) this.#lose(this.#hold, how);
      },
    });
    this.#startHold(next, processLock, result.attempts, null);
  }

  /** @param attempts at the nodes; 0 where the lock was handed off */
  #startHold(
    waiter: Waiter,
    processLock: ProcessLock,
    attempts: number,
    handedOverIntent: Intent | null,
  ): void {
    const startedAtMs = this.#nowMs();
    this.#state = 'held';
    this.#acquisition = null;
    processLock.startHold();
    this.#hold = new CallerHold(this, processLock, waiter, startedAtMs, handedOverIntent);
    const contended = waiter.queuedBehind || attempts > 1;
    this.#options.telemetry.acquired(this.key, this.#hold.waitMs, attempts, contended);
    waiter.resolve(this.#hold);
  }

  #lose(hold: CallerHold, how: 'lost' | 'expired'): void {
    this.#endHold(hold);
    this.#options.telemetry.lost(this.key, how, hold.startedAtMs);
    this.#endProcessLock(hold.processLock);
    this.#acquireOrRetire();
  }

  #endHold(hold: CallerHold): void {
    hold.end();
    this.#hold = null;
  }

  /** A lost lock is given back too: a minority of nodes may still have it, which would get in the way. */
  #endProcessLock(processLock: ProcessLock): void {
    processLock.end();
    this.#options.giveBack(processLock.grant);
  }

  #timeOut(waiter: Waiter): void {
    if (!this.#remove(waiter)) return;
    const code = this.#acquisition?.unanswered === true ? 'LOCKS_UNAVAILABLE' : 'LOCK_TIMEOUT';
    waiter.reject(this.#failure(code, waiter.arrivedAtMs));
    this.#markHead();
  }

  #head(): Waiter | null {
    for (const waiter of this.#waiters) return waiter;
    return null;
  }

  #takeHead(): Waiter | null {
    const head = this.#head();
    if (head !== null) this.#remove(head);
    return head;
  }

  /** Cancels the timer of a waiter and takes it out; false where it had left before. */
  #remove(waiter: Waiter): boolean {
    waiter.timer?.cancel();
    return this.#waiters.delete(waiter);
  }

  /** While this process acquires, the first waiter waits for the nodes and no longer for the queue. */
  #markHead(): void {
    const head = this.#state === 'acquiring' ? this.#head() : null;
    if (head !== null) head.headAtMs ??= this.#nowMs();
  }

  #acquireOrRetire(): void {
    if (this.#waiters.size > 0) this.#acquire();
    else this.#retire();
  }

  #retire(): void {
    this.#state = 'retired';
    this.#acquisition = null;
    this.#options.onRetired(this);
  }

  #failure(code: Failure, sinceMs: number, cause?: unknown): Error {
    const attempts = this.#acquisition?.attempts ?? 0;
    return this.#options.telemetry.failed(this.key, code, sinceMs, attempts, cause);
  }

  #nowMs(): number {
    return this.#options.runtime.clock.nowMs();
  }
}

/** One caller's hold of the key, as the caller sees it. */
class CallerHold implements HeldLock {
  readonly key: Key;
  readonly purpose: LockPurpose;
  readonly waitMs: number;
  readonly queueMs: number;
  readonly startedAtMs: number;
  readonly handedOverIntent: Intent | null;
  readonly processLock: ProcessLock;
  readonly #queue: KeyQueue;
  #fence: number | null = null;
  #onWaiter: (() => void) | null = null;
  #over = false;

  constructor(
    queue: KeyQueue,
    processLock: ProcessLock,
    { key, purpose, arrivedAtMs, headAtMs }: Waiter,
    startedAtMs: number,
    handedOverIntent: Intent | null,
  ) {
    this.key = key;
    this.purpose = purpose;
    this.waitMs = startedAtMs - arrivedAtMs;
    this.queueMs = (headAtMs ?? startedAtMs) - arrivedAtMs;
    this.startedAtMs = startedAtMs;
    this.handedOverIntent = handedOverIntent;
    this.processLock = processLock;
    this.#queue = queue;
  }

  get fence(): number | null {
    return this.#fence;
  }

  leftMs(): number {
    return this.#over ? 0 : this.processLock.leftMs();
  }

  assertHeld(): void {
    if (this.leftMs() > 0) return;
    if (!this.#over) this.#queue.expire(this);
    throw new LockstepError('FENCED', 'The lock on this key is not proved to be held any more.');
  }

  canHandOverIntent(): boolean {
    return !this.#over && this.#queue.canHandOverIntent(this);
  }

  onNextWaiter(listener: () => void): void {
    this.#onWaiter = listener;
  }

  /** Somebody has begun to wait. */
  noteWaiter(): void {
    const listener = this.#onWaiter;
    this.#onWaiter = null;
    listener?.();
  }

  takeFollowers(max: number, mayFollow: (follower: Follower) => boolean): readonly Follower[] {
    return this.#over ? [] : this.#queue.takeFollowers(this, max, mayFollow);
  }

  release(intentForNext?: Intent): void {
    if (!this.#over) this.#queue.release(this, intentForNext ?? null);
  }

  limitTo(durationMs: number): void {
    if (!this.#over) this.processLock.limitHold(durationMs);
  }

  noteFence(fence: number): void {
    this.#fence = fence;
  }

  /** From here on, nothing may be done under this hold. */
  end(): void {
    this.#over = true;
    this.#onWaiter = null;
  }
}
