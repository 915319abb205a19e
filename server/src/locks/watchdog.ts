/**
 * Keeps one Redlock alive, and knows how long it is proved to be held.
 *
 * States
 *   watching  a timer is set, or one extension is under way
 *   over      stopped by its owner, or the lock was lost; nothing leads out of it
 *
 * Invariants
 *   - The lock is proved held until `start of the last granting call + ttl - drift`, on this process's monotonic clock.
 *   - At most one extension is under way.
 *   - `onLost` is called at most once, and never after `stop`.
 */
import type { Clock, Runtime, Timer } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';

/** Share of the TTL that clocks may drift apart, and the resolution of Redis's expiry (as in the Redlock paper). */
const DRIFT_SHARE = 0.01;
const DRIFT_MS = 2;
/** Three tries in a lifetime: one lost answer does no harm. */
const EXTENSIONS_PER_TTL = 3;
/** How soon an extension that got no answer is tried again, in parts of the TTL. */
const RETRIES_PER_TTL = 40;

/** Until when a lock granted by a call that began at `startedAtMs` is proved held. */
export function provenUntilMs(startedAtMs: number, ttlMs: number): number {
  return startedAtMs + ttlMs - (ttlMs * DRIFT_SHARE + DRIFT_MS);
}

export interface WatchdogOptions {
  nodes: LockNodes;
  runtime: Runtime;
  grant: Grant;
  ttlMs: number;
  /** When the call began that granted the lock. */
  startedAtMs: number;
  /** The moment after which the lock is not to be extended but given up; asked anew each time. */
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

  /** Time that the lock is still proved held; 0 once over. */
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
