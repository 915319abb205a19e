/**
 * One Redlock from its grant to its release. It keeps the lock alive, and knows how long it is proved held.
 *
 * It serves one caller or several in turn: handing a held lock off to the next caller of this process costs no round
 * trip. Two limits, in time and in callers, give other processes their share.
 *
 * States
 *   watching  a timer is set, or one extension is in flight
 *   over      ended by its owner, or the lock was lost; final
 *
 * Invariants
 *   - The lock is proved held until `start of the last call that granted it + ttl - drift`, on the monotonic clock.
 *   - At most one extension is in flight.
 *   - `onLost` is called at most once, and never after `end`.
 */
import type { Runtime, Timer } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockOptions } from './lock-options.ts';

/** A lock with less than this share of its TTL left is not handed off: the next caller would have too little time. */
const HAND_OFF_SHARE = 0.5;
/** Clocks may drift apart by this share of the TTL; Redis expires keys at this resolution (as in the Redlock paper). */
const DRIFT_SHARE = 0.01;
const DRIFT_MS = 2;
/** Three tries in a TTL: one lost answer does no harm. */
const EXTENSIONS_PER_TTL = 3;
/** An extension that got no answer is repeated after this fraction of the TTL. */
const RETRIES_PER_TTL = 40;

/** Until when a lock is proved held that was granted by a call started at `startedAtMs`. */
export function provenUntilMs(startedAtMs: number, ttlMs: number): number {
  return startedAtMs + ttlMs - (ttlMs * DRIFT_SHARE + DRIFT_MS);
}

export interface ProcessLockOptions {
  nodes: LockNodes;
  runtime: Runtime;
  limits: LockOptions;
  grant: Grant;
  /** When the call that granted the lock started. */
  startedAtMs: number;
  /** `lost`: the nodes said so. `expired`: its time ran out. */
  onLost: (how: 'lost' | 'expired') => void;
}

export class ProcessLock {
  readonly grant: Grant;
  readonly #options: ProcessLockOptions;
  readonly #grantedAtMs: number;
  #holds = 0;
  /** After this moment the lock is no longer extended but given up. */
  #holdEndsAtMs = Infinity;
  #provenUntilMs: number;
  #timer: Timer | null = null;
  #over = false;

  constructor(options: ProcessLockOptions) {
    const { grant, startedAtMs, limits } = options;
    this.grant = grant;
    this.#options = options;
    this.#grantedAtMs = this.#nowMs();
    this.#provenUntilMs = provenUntilMs(startedAtMs, limits.ttlMs);
    this.#watchFor(limits.ttlMs / EXTENSIONS_PER_TTL);
  }

  /** Starts one more caller's hold, which may last `maxHoldMs`. */
  startHold(): void {
    this.#holds++;
    this.limitHold(this.#options.limits.maxHoldMs);
  }

  /** Moves the limit of the present hold: it may last `durationMs` from now. */
  limitHold(durationMs: number): void {
    this.#holdEndsAtMs = this.#nowMs() + durationMs;
  }

  /** How long the lock is still proved held, within the limit of the present hold; 0 once over. */
  leftMs(): number {
    if (this.#over) return 0;
    return Math.max(0, Math.min(this.#provenUntilMs, this.#holdEndsAtMs) - this.#nowMs());
  }

  canServeAnother(): boolean {
    return this.servesMore() > 0;
  }

  /** How many more callers it may serve before other processes get their chance; 0 where its time is used up. */
  servesMore(): number {
    const { maxProcessLockHolds, maxProcessLockMs, ttlMs } = this.#options.limits;
    const nowMs = this.#nowMs();
    const hasTime =
      !this.#over &&
      nowMs - this.#grantedAtMs < maxProcessLockMs &&
      this.#provenUntilMs - nowMs > ttlMs * HAND_OFF_SHARE;
    return hasTime ? Math.max(0, maxProcessLockHolds - this.#holds) : 0;
  }

  /** Counts callers that are served with the present hold. */
  countHolds(count: number): void {
    this.#holds += count;
  }

  /** Stops extending. The nodes keep the lock until it is released or expires. */
  end(): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #watchFor(delayMs: number): void {
    const lifeMs = Math.min(this.#provenUntilMs, this.#holdEndsAtMs) - this.#nowMs();
    const { timers } = this.#options.runtime;
    this.#timer = timers.after(Math.max(0, Math.min(delayMs, lifeMs)), () => {
      this.#timer = null;
      void this.#extend();
    });
  }

  /** Never rejects. */
  async #extend(): Promise<void> {
    const { ttlMs } = this.#options.limits;
    const startedAtMs = this.#nowMs();
    if (startedAtMs >= this.#holdEndsAtMs || startedAtMs >= this.#provenUntilMs)
      return this.#lose('expired');
    const answer = await this.#askNodes();
    if (this.#over) return;
    if (answer === 'lost') return this.#lose('lost');
    if (answer === 'unavailable') return this.#watchFor(ttlMs / RETRIES_PER_TTL);
    this.#provenUntilMs = provenUntilMs(startedAtMs, ttlMs);
    this.#watchFor(ttlMs / EXTENSIONS_PER_TTL - (this.#nowMs() - startedAtMs));
  }

  async #askNodes(): Promise<'extended' | 'lost' | 'unavailable'> {
    const { nodes, runtime, grant, limits } = this.#options;
    try {
      return await nodes.extend(grant, limits.ttlMs);
    } catch (error) {
      runtime.log.error({ err: error, lockKey: grant.lockKey }, 'extending a lock failed');
      return 'unavailable';
    }
  }

  #lose(how: 'lost' | 'expired'): void {
    this.end();
    this.#options.onLost(how);
  }

  #nowMs(): number {
    return this.#options.runtime.clock.nowMs();
  }
}
