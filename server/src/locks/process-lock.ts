import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockOptions } from './lock-options.ts';
import { Watchdog } from './watchdog.ts';

/** A lock with less than this share of its TTL left is not handed off: the next caller would have too little time. */
const HAND_OFF_SHARE = 0.5;

export interface ProcessLockOptions {
  nodes: LockNodes;
  runtime: Runtime;
  limits: LockOptions;
  grant: Grant;
  /** When the call that granted the lock started. */
  startedAtMs: number;
  onLost: (how: 'lost' | 'expired') => void;
}

/**
 * One Redlock from its grant to its release. It serves one caller or several in turn: handing a held lock off to the
 * next caller of this process costs no round trip. Two limits, in time and in callers, give other processes their
 * share.
 */
export class ProcessLock {
  readonly grant: Grant;
  readonly #runtime: Runtime;
  readonly #limits: LockOptions;
  readonly #watchdog: Watchdog;
  readonly #grantedAtMs: number;
  #holds = 0;
  #holdEndsAtMs = Infinity;

  constructor({ nodes, runtime, limits, grant, startedAtMs, onLost }: ProcessLockOptions) {
    this.grant = grant;
    this.#runtime = runtime;
    this.#limits = limits;
    this.#grantedAtMs = runtime.clock.nowMs();
    this.#watchdog = new Watchdog({
      nodes,
      runtime,
      grant,
      ttlMs: limits.ttlMs,
      startedAtMs,
      endsAtMs: () => this.#holdEndsAtMs,
      onLost,
    });
  }

  /** Starts one more caller's hold, which may last `maxHoldMs`. */
  startHold(): void {
    this.#holds++;
    this.limitHold(this.#limits.maxHoldMs);
  }

  /** Moves the limit of the present hold: it may last `durationMs` from now. */
  limitHold(durationMs: number): void {
    this.#holdEndsAtMs = this.#runtime.clock.nowMs() + durationMs;
  }

  /** How long the lock is still proved held, within the limit of the present hold. */
  leftMs(): number {
    const holdLeftMs = this.#holdEndsAtMs - this.#runtime.clock.nowMs();
    return Math.max(0, Math.min(this.#watchdog.leftMs(), holdLeftMs));
  }

  canServeAnother(): boolean {
    const { maxProcessLockHolds, maxProcessLockMs, ttlMs } = this.#limits;
    return (
      this.#holds < maxProcessLockHolds &&
      this.#runtime.clock.nowMs() - this.#grantedAtMs < maxProcessLockMs &&
      this.#watchdog.leftMs() > ttlMs * HAND_OFF_SHARE
    );
  }

  /** Stops extending. The nodes keep the lock until it is released or expires. */
  end(): void {
    this.#watchdog.stop();
  }
}
