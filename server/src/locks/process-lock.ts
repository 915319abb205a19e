import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockOptions } from './lock-options.ts';
import { Watchdog } from './watchdog.ts';

/** A lock with less than this share of its life left goes to no further caller: it would have too little time. */
const HAND_OFF_SHARE = 0.5;

export interface ProcessLockOptions {
  nodes: LockNodes;
  runtime: Runtime;
  options: LockOptions;
  grant: Grant;
  /** When the call began that granted the lock. */
  startedAtMs: number;
  onLost: (how: 'lost' | 'expired') => void;
}

/**
 * One Redlock from its grant to its release, serving one turn or several one after the other: passing a held lock to
 * the next caller of this process costs no round trip. Two bounds, in time and in turns, keep it from being kept from
 * other processes.
 */
export class ProcessLock {
  readonly grant: Grant;
  readonly #runtime: Runtime;
  readonly #options: LockOptions;
  readonly #watchdog: Watchdog;
  readonly #beganAtMs: number;
  #holds = 0;
  #holdEndsAtMs = Infinity;

  constructor({ nodes, runtime, options, grant, startedAtMs, onLost }: ProcessLockOptions) {
    this.grant = grant;
    this.#runtime = runtime;
    this.#options = options;
    this.#beganAtMs = runtime.clock.nowMs();
    this.#watchdog = new Watchdog({
      nodes,
      runtime,
      grant,
      ttlMs: options.ttlMs,
      startedAtMs,
      endsAtMs: () => this.#holdEndsAtMs,
      onLost,
    });
  }

  /** Begins one more turn, which may last `maxHoldMs`. */
  beginHold(): void {
    this.#holds++;
    this.limitTo(this.#options.maxHoldMs);
  }

  /** Moves the bound on the running turn. */
  limitTo(durationMs: number): void {
    this.#holdEndsAtMs = this.#runtime.clock.nowMs() + durationMs;
  }

  /** Time that the running turn's lock is still proved held, and not beyond the bound on a turn. */
  leftMs(): number {
    const holdLeftMs = this.#holdEndsAtMs - this.#runtime.clock.nowMs();
    return Math.max(0, Math.min(this.#watchdog.leftMs(), holdLeftMs));
  }

  canServeAnother(): boolean {
    const { maxProcessLockHolds, maxProcessLockMs, ttlMs } = this.#options;
    return (
      this.#holds < maxProcessLockHolds &&
      this.#runtime.clock.nowMs() - this.#beganAtMs < maxProcessLockMs &&
      this.#watchdog.leftMs() > ttlMs * HAND_OFF_SHARE
    );
  }

  /** Stops extending. The lock stays on the nodes until it is released or expires. */
  end(): void {
    this.#watchdog.stop();
  }
}
