/**
 * One lease: a caller's long turn at a key, and the writes within it.
 *
 * States
 *   held   its time runs, and its lock was proved held when anybody looked last
 *   over   released, ran out or lost (`LeaseEnd`); nothing leads out of it
 *
 * Invariants
 *   - No write begins within it once it is over, and one that has begun sends nothing more.
 *   - At most one write runs within it; the others wait, first come, first served.
 *   - Its turn at the key is given back once, when it is over and no write runs within it any more.
 *   - `heldFences` holds the fence that the database has for the key, unless another turn stored one.
 */
import { LockstepError, type Key } from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { endError, type LeaseEnd } from './ended-leases.ts';
import type { LeaseOptions } from './lease-options.ts';
import type { LeaseView, LeasedLock, LeaseGrant } from './port.ts';
import { WriteInLease, type WriteOwner } from './write-in-lease.ts';

/** How long the turn may outlast the lease, for a write within it to end. */
const END_SLACK_MS = 1_000;
/** Writes that wait within one lease. */
const MAX_WAITING = 100;
/** Writes in a row whose outcome is not known. */
const MAX_HELD_FENCES = 1_000;

export interface LeaseFacts {
  id: string;
  lock: HeldLock;
  fence: number;
}

/** Whoever keeps the lease. */
export interface LeaseWatcher {
  /** Once. */
  onEnd(lease: Lease, end: LeaseEnd): void;
  /** It is over and has given its turn back, and a write within it may have left an intent. */
  onUnsettled(lease: Lease): void;
}

interface Waiting {
  sinceMs: number;
  timer: Timer;
  resolve: (lock: LeasedLock) => void;
  reject: (error: Error) => void;
}

export class Lease implements WriteOwner {
  readonly id: string;
  readonly fence: number;
  readonly #lock: HeldLock;
  readonly #runtime: Runtime;
  readonly #options: LeaseOptions;
  readonly #watcher: LeaseWatcher;
  readonly #bornAtMs: number;
  readonly #waiting = new Set<Waiting>();
  #fences: readonly number[];
  #lastsMs = 0;
  #endsAtMs = 0;
  #timer: Timer | null = null;
  #end: LeaseEnd | null = null;
  #writes = false;
  #unsettled = false;

  constructor(
    { id, lock, fence }: LeaseFacts,
    ttlMs: number,
    runtime: Runtime,
    options: LeaseOptions,
    watcher: LeaseWatcher,
  ) {
    this.id = id;
    this.fence = fence;
    this.#lock = lock;
    this.#fences = [fence];
    this.#runtime = runtime;
    this.#options = options;
    this.#watcher = watcher;
    this.#bornAtMs = runtime.clock.nowMs();
    this.#limitTo(ttlMs);
  }

  get key(): Key {
    return this.#lock.key;
  }

  get heldFences(): readonly number[] {
    return this.#fences;
  }

  /** @throws LockstepError how it ended, where it is over; it ends here where its lock is gone */
  assertHeld(): void {
    if (this.#end === null && this.#lock.leftMs() <= 0) this.end('lost');
    if (this.#end !== null) throw endError(this.#end);
  }

  /** Time that it still lasts and its lock is proved held. */
  leftMs(): number {
    if (this.#end !== null) return 0;
    return Math.max(0, Math.min(this.#endsAtMs - this.#nowMs(), this.#lock.leftMs()));
  }

  report(): LeaseView {
    const { resource, text } = this.key;
    const leftMs = Math.max(0, this.#endsAtMs - this.#nowMs());
    return { resource: resource.name, key: text, leftMs, ttlMs: this.#lastsMs };
  }

  extend(ttlMs: number): LeaseGrant {
    this.assertHeld();
    this.#limitTo(ttlMs);
    return this.grant();
  }

  /** @throws LockstepError as `assertHeld`: a fence is told only while the lock is proved held (invariant T6) */
  grant(): LeaseGrant {
    this.assertHeld();
    const { clock } = this.#runtime;
    const expiresAtMs = Math.round(clock.wallMs() + this.#endsAtMs - clock.nowMs());
    return { id: this.id, key: this.key, fence: this.fence, expiresAtMs };
  }

  /** The next turn within it, once the writes before have ended. */
  async begin(waitTimeoutMs = this.#options.waitTimeoutMs): Promise<LeasedLock> {
    this.assertHeld();
    const sinceMs = this.#nowMs();
    if (!this.#writes) return this.#start(sinceMs);
    if (this.#waiting.size >= MAX_WAITING) {
      throw new LockstepError('QUEUE_FULL', 'Too many writes wait within this lease already.');
    }
    return new Promise((resolve, reject) => {
      const timer = this.#runtime.timers.after(waitTimeoutMs, () => {
        this.#waiting.delete(waiting);
        reject(new LockstepError('LOCK_TIMEOUT', 'Other writes within this lease took too long.'));
      });
      const waiting: Waiting = { sinceMs, timer, resolve, reject };
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
    this.#watcher.onEnd(this, end);
    if (!this.#writes) this.#giveBack();
  }

  finished(): void {
    this.#writes = false;
    if (this.#end !== null) return this.#giveBack();
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.timer.cancel();
      waiting.resolve(this.#start(waiting.sinceMs));
      return;
    }
  }

  noteFence(fence: number): void {
    this.#lock.noteFence(fence);
  }

  stored(fence: number): void {
    this.#fences = [fence];
  }

  mayHaveStored(fence: number): void {
    if (this.#fences.includes(fence)) return;
    this.#fences = [...this.#fences, fence];
    if (this.#fences.length > MAX_HELD_FENCES) this.end('lost');
  }

  leftIntent(): void {
    this.#unsettled = true;
    if (this.#end !== null && !this.#writes) this.#settle();
  }

  #start(sinceMs: number): LeasedLock {
    this.#writes = true;
    return new WriteInLease(this.key, this.#nowMs() - sinceMs, this);
  }

  #giveBack(): void {
    this.#lock.release();
    this.#settle();
  }

  #settle(): void {
    if (this.#unsettled) this.#watcher.onUnsettled(this);
    this.#unsettled = false;
  }

  #limitTo(ttlMs: number): void {
    const lifeLeftMs = this.#bornAtMs + this.#options.maxLifeMs - this.#nowMs();
    const lastsMs = Math.max(0, Math.min(ttlMs, lifeLeftMs));
    this.#lastsMs = lastsMs;
    this.#endsAtMs = this.#nowMs() + lastsMs;
    this.#lock.limitTo(lastsMs + END_SLACK_MS);
    this.#timer?.cancel();
    this.#timer = this.#runtime.timers.after(lastsMs, () => this.end(this.#overdueEnd()));
  }

  /** A process that was paused finds its lock gone when its timer runs at last. */
  #overdueEnd(): LeaseEnd {
    return this.#lock.leftMs() > 0 ? 'ran-out' : 'lost';
  }

  #nowMs(): number {
    return this.#runtime.clock.nowMs();
  }
}
