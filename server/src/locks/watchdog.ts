/**
 * Keeps one Redlock alive, and knows how long it is proved held.
 *
 * States
 *   watching  a timer is set, or one extension is in flight
 *   over      stopped by its owner, or the lock was lost; final
 *
 * Invariants
 *   - The lock is proved held until `start of the last call that granted it + ttl - drift`, on the monotonic clock.
 *   - At most one extension is in flight.
 *   - `onLost` is called at most once, and never after `stop`.
 */
import type { Clock, Runtime, Timer } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';

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

export interface WatchdogOptions {
  nodes: LockNodes;
  runtime: Runtime;
  grant: Grant;
  ttlMs: number;
  /** When the call that granted the lock started. */
  startedAtMs: number;
  /** After this moment the lock is no longer extended but given up. Called each time, since it may move. */
  endsAtMs: () => number;
  /** `lost`: the nodes said so. `expired`: its time ran out. */
  onLost: (how: 'lost' | 'expired') => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #clock: Clock;
  #provenUntilMs: number;
  #timer: Timer | null = null;
  #over = false;

  constructor(settings: WatchdogOptions) {
    this.#options = settings;
    this.#clock = settings.runtime.clock;
    this.#provenUntilMs = provenUntilMs(settings.startedAtMs, settings.ttlMs);
    this.#arm(settings.ttlMs / EXTENSIONS_PER_TTL);
  }

  /** How long the lock is still proved held; 0 once over. */
  leftMs(): number {
    return this.#over ? 0 : Math.max(0, this.#provenUntilMs - this.#clock.nowMs());
  }

  stop(): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    const { runtime, endsAtMs } = this.#options;
    const lifeMs = Math.min(this.#provenUntilMs, endsAtMs()) - this.#clock.nowMs();
    this.#timer = runtime.timers.after(Math.max(0, Math.min(delayMs, lifeMs)), () => {
      this.#timer = null;
      void this.#tick();
    });
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    const { ttlMs, endsAtMs } = this.#options;
    const startedAtMs = this.#clock.nowMs();
    if (startedAtMs >= endsAtMs() || startedAtMs >= this.#provenUntilMs)
      return this.#lose('expired');
    const answer = await this.#extend();
    if (this.#over) return;
    if (answer === 'lost') return this.#lose('lost');
    if (answer === 'extended') {
      this.#provenUntilMs = provenUntilMs(startedAtMs, ttlMs);
      const spentMs = this.#clock.nowMs() - startedAtMs;
      return this.#arm(ttlMs / EXTENSIONS_PER_TTL - spentMs);
    }
    this.#arm(ttlMs / RETRIES_PER_TTL);
  }

  async #extend(): Promise<'extended' | 'lost' | 'unavailable'> {
    const { nodes, runtime, grant, ttlMs } = this.#options;
    try {
      return await nodes.extend(grant, ttlMs);
    } catch (error) {
      runtime.log.error({ err: error, lockKey: grant.lockKey }, 'extending a lock failed');
      return 'unavailable';
    }
  }

  #lose(how: 'lost' | 'expired'): void {
    this.stop();
    this.#options.onLost(how);
  }
}
