import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockOptions } from './lock-options.ts';
import { Watchdog } from './watchdog.ts';

/** A lock with less than this share of its life left goes to no further caller: it would have too little time. */
const HAND_OFF_SHARE = 0.5;

export interface TenureSettings {
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
export class Tenure {
  readonly grant: Grant;
  readonly #runtime: Runtime;
  readonly #options: LockOptions;
  readonly #watchdog: Watchdog;
  readonly #beganAtMs: number;
  #turns = 0;
  #turnEndsAtMs = Infinity;

  constructor({ nodes, runtime, options, grant, startedAtMs, onLost }: TenureSettings) {
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
      endsAtMs: () => this.#turnEndsAtMs,
      onLost,
    });
  }

  /** Begins one more turn, which may last `maxTurnMs`. */
  beginTurn(): void {
    this.#turns++;
    this.lastFor(this.#options.maxTurnMs);
  }

  /** Moves the bound on the running turn. */
  lastFor(durationMs: number): void {
    this.#turnEndsAtMs = this.#runtime.clock.nowMs() + durationMs;
  }

  /** Time that the running turn's lock is still proved held, and not beyond the bound on a turn. */
  leftMs(): number {
    const turnLeftMs = this.#turnEndsAtMs - this.#runtime.clock.nowMs();
    return Math.max(0, Math.min(this.#watchdog.leftMs(), turnLeftMs));
  }

  canServeAnother(): boolean {
    const { maxTenureTurns, maxTenureMs, ttlMs } = this.#options;
    return (
      this.#turns < maxTenureTurns &&
      this.#runtime.clock.nowMs() - this.#beganAtMs < maxTenureMs &&
      this.#watchdog.leftMs() > ttlMs * HAND_OFF_SHARE
    );
  }

  /** Stops extending. The lock stays on the nodes until it is released or expires. */
  end(): void {
    this.#watchdog.stop();
  }
}
