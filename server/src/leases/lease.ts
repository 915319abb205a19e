/**
 * One lease: a caller's long hold of a key, and the writes within it.
 *
 * States of a lease
 *   held   its time runs, and its lock was proved held when it was last checked
 *   over   released, ran out or lost (`LeaseEnd`); final
 *
 * States of a write within it: running -> over, when it releases. The lease may end before the write does; then the
 * write sends nothing more.
 *
 * Invariants
 *   - No write starts within a lease that is over, and a write that has started sends nothing more.
 *   - At most one write runs within it; the others wait in order of arrival.
 *   - Its lock is given back once, when it is over and no write runs within it any more.
 *   - `#fences` contains the fence that the database has for the key, unless another holder stored one.
 */
import { LockstepError, type Key } from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { endError, type LeaseEnd } from './ended-leases.ts';
import type { LeaseOptions } from './lease-options.ts';
import type { LeasedLock, LeaseGrant, LeaseView } from './port.ts';

/** How long the lock may outlast the lease, so that a write within it can end. */
const END_SLACK_MS = 1_000;
/** Writes that may wait within one lease. */
const MAX_WAITING = 100;
/** Writes in a row whose outcome is unknown. */
const MAX_HELD_FENCES = 1_000;

export interface NewLeaseOptions {
  id: string;
  lock: HeldLock;
  fence: number;
  ttlMs: number;
  runtime: Runtime;
  bounds: LeaseOptions;
  /** Called once. */
  onEnd: (lease: Lease, end: LeaseEnd) => void;
  /** The lease is over, has given its lock back, and a write within it may have left an intent. */
  onIntentLeft: (lease: Lease) => void;
}

interface WaitingWrite {
  sinceMs: number;
  timer: Timer;
  resolve: (lock: LeasedLock) => void;
  reject: (error: Error) => void;
}

export class Lease {
  readonly id: string;
  readonly fence: number;
  readonly #options: NewLeaseOptions;
  readonly #lock: HeldLock;
  readonly #runtime: Runtime;
  readonly #grantedAtMs: number;
  readonly #waiting = new Set<WaitingWrite>();
  #fences: readonly number[];
  #lastsMs = 0;
  #endsAtMs = 0;
  #timer: Timer | null = null;
  #end: LeaseEnd | null = null;
  #isWriting = false;
  #intentLeft = false;

  constructor(options: NewLeaseOptions) {
    this.id = options.id;
    this.fence = options.fence;
    this.#options = options;
    this.#lock = options.lock;
    this.#runtime = options.runtime;
    this.#fences = [options.fence];
    this.#grantedAtMs = options.runtime.clock.nowMs();
    this.#lastFor(options.ttlMs);
  }

  get key(): Key {
    return this.#lock.key;
  }

  /**
   * Ends the lease if its lock is no longer proved held.
   * @throws LockstepError with the reason why the lease is over
   */
  assertHeld(): void {
    if (this.#end === null && this.#lock.leftMs() <= 0) this.end('lost');
    if (this.#end !== null) throw endError(this.#end);
  }

  /** How long the lease still lasts with its lock proved held. */
  leftMs(): number {
    if (this.#end !== null) return 0;
    return Math.max(0, Math.min(this.#endsAtMs - this.#nowMs(), this.#lock.leftMs()));
  }

  view(): LeaseView {
    const { resource, text } = this.key;
    const leftMs = Math.max(0, this.#endsAtMs - this.#nowMs());
    return { resource: resource.name, key: text, leftMs, ttlMs: this.#lastsMs };
  }

  extend(ttlMs: number): LeaseGrant {
    this.assertHeld();
    this.#lastFor(ttlMs);
    return this.grant();
  }

  /** @throws LockstepError as `assertHeld`: a fence is given out only while the lock is proved held (invariant T6) */
  grant(): LeaseGrant {
    this.assertHeld();
    const { clock } = this.#runtime;
    const expiresAtMs = Math.round(clock.wallMs() + this.#endsAtMs - clock.nowMs());
    return { id: this.id, key: this.key, fence: this.fence, expiresAtMs };
  }

  /** Resolves once the earlier writes within the lease have ended. */
  async acquire(waitTimeoutMs = this.#options.bounds.waitTimeoutMs): Promise<LeasedLock> {
    this.assertHeld();
    const sinceMs = this.#nowMs();
    if (!this.#isWriting) return this.#startWrite(sinceMs);
    if (this.#waiting.size >= MAX_WAITING) {
      throw new LockstepError('QUEUE_FULL', 'Too many writes wait within this lease already.');
    }
    return new Promise((resolve, reject) => {
      const timer = this.#runtime.timers.after(waitTimeoutMs, () => {
        this.#waiting.delete(waiting);
        reject(new LockstepError('LOCK_TIMEOUT', 'Other writes within this lease took too long.'));
      });
      const waiting: WaitingWrite = { sinceMs, timer, resolve, reject };
      this.#waiting.add(waiting);
    });
  }

  end(end: LeaseEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#timer?.cancel();
    for (const { timer, reject } of this.#waiting) {
      timer.cancel();
      reject(endError(end));
    }
    this.#waiting.clear();
    this.#options.onEnd(this, end);
    if (!this.#isWriting) this.#giveBack();
  }

  /** The lease's lock, as one write within the lease has it. */
  #startWrite(sinceMs: number): LeasedLock {
    this.#isWriting = true;
    const waitMs = this.#nowMs() - sinceMs;
    const fences = (): readonly number[] => this.#fences;
    let isOver = false;
    return {
      ...{ key: this.key, waitMs, queueMs: waitMs },
      // Writes within a lease place their own intents.
      handedOverIntent: null,
      canHandOverIntent: () => false,
      onNextWaiter: () => undefined,
      takeFollowers: () => [],
      get heldFences() {
        return fences();
      },
      nextFence: () => Math.max(...this.#fences) + 1,
      leftMs: () => (isOver ? 0 : this.leftMs()),
      assertHeld: () => this.assertHeld(),
      // Only the lease decides how long it lasts.
      limitTo: () => this.assertHeld(),
      release: () => {
        if (isOver) return;
        isOver = true;
        this.#writeEnded();
      },
      noteFence: (fence) => this.#lock.noteFence(fence),
      stored: (fence) => {
        this.#fences = [fence];
      },
      mayHaveStored: (fence) => this.#mayHaveStored(fence),
      leftIntent: () => {
        this.#intentLeft = true;
        if (this.#end !== null && !this.#isWriting) this.#reportIntent();
      },
      superseded: () => {
        this.end('lost');
        return endError('lost');
      },
    };
  }

  /** The running write is over: the next one starts. */
  #writeEnded(): void {
    this.#isWriting = false;
    if (this.#end !== null) return this.#giveBack();
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.timer.cancel();
      waiting.resolve(this.#startWrite(waiting.sinceMs));
      return;
    }
  }

  #mayHaveStored(fence: number): void {
    if (this.#fences.includes(fence)) return;
    this.#fences = [...this.#fences, fence];
    if (this.#fences.length > MAX_HELD_FENCES) this.end('lost');
  }

  #giveBack(): void {
    this.#lock.release();
    this.#reportIntent();
  }

  #reportIntent(): void {
    if (this.#intentLeft) this.#options.onIntentLeft(this);
    this.#intentLeft = false;
  }

  #lastFor(ttlMs: number): void {
    const lifeLeftMs = this.#grantedAtMs + this.#options.bounds.maxLifeMs - this.#nowMs();
    const lastsMs = Math.max(0, Math.min(ttlMs, lifeLeftMs));
    this.#lastsMs = lastsMs;
    this.#endsAtMs = this.#nowMs() + lastsMs;
    this.#lock.limitTo(lastsMs + END_SLACK_MS);
    this.#timer?.cancel();
    this.#timer = this.#runtime.timers.after(lastsMs, () => this.end(this.#overdueEnd()));
  }

  /** After a pause of the process, the timer runs late and the lock may be gone. */
  #overdueEnd(): LeaseEnd {
    return this.#lock.leftMs() > 0 ? 'ran-out' : 'lost';
  }

  #nowMs(): number {
    return this.#runtime.clock.nowMs();
  }
}
