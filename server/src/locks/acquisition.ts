import type { Runtime } from '../runtime/index.ts';
import type { Key } from '../domain/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { Claim, Succession } from './wait-marker.ts';
import { provenUntilMs } from './watchdog.ts';

/**
 * Pause between two tries: grows from the first to the last figure, with jitter, so that contenders in several
 * processes don't march in step. Short enough that a free lock is found soon, long enough to be cheap for the nodes.
 */
const FIRST_RETRY_MS = 5;
export const LAST_RETRY_MS = 25;
const RETRY_GROWTH = 1.6;
/** From this many failed tries on, the holder is told that somebody waits. Most locks are free again before. */
const TRIES_BEFORE_CLAIM = 2;
/** How long no majority may answer before callers are told: a node that restarts or a paused process is no outage. */
const OUTAGE_GRACE_MS = 300;
/** A lock that took longer than this share of its life to get is not worth having. */
const LATE_SHARE = 0.5;

export type AcquisitionResult =
  | { won: Grant; startedAtMs: number; attempts: number }
  /** Nobody wants the lock any more. */
  | 'abandoned'
  /** No majority of nodes has answered for longer than the grace. */
  | 'unavailable';

/** Since when no call of this process got an answer from a majority. Shared by all keys: callers of an outage fail fast. */
export class Outage {
  #sinceMs: number | null = null;

  over(): void {
    this.#sinceMs = null;
  }

  /** Notes one more call without an answer; returns how long that has been going on. */
  lastsMs(nowMs: number): number {
    this.#sinceMs ??= nowMs;
    return nowMs - this.#sinceMs;
  }
}

/** What a acquisition needs besides the key. */
export interface AcquisitionOptions {
  nodes: LockNodes;
  runtime: Runtime;
  ttlMs: number;
  outage: Outage;
  succession: Succession;
}

/** This process's attempts to get one key's lock from the nodes, for whoever is first in the queue at that moment. */
export class Acquisition {
  readonly #options: AcquisitionOptions;
  readonly #lockKey: string;
  readonly #claim: Claim;
  #attempts = 0;
  #unanswered = false;

  constructor(settings: AcquisitionOptions, key: Key) {
    this.#options = settings;
    this.#lockKey = key.lockKey;
    this.#claim = settings.succession.claim(key);
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** The last attempt got no answer from a majority. */
  get unanswered(): boolean {
    return this.#unanswered;
  }

  /** Tries until the lock is won, nobody wants it, or the nodes are out of reach. Rejects only on a defect. */
  async run(isWanted: () => boolean): Promise<AcquisitionResult> {
    try {
      while (isWanted()) {
        const result = await this.#tryOnce();
        if (result !== 'again') return result;
        if (this.#attempts >= TRIES_BEFORE_CLAIM && !this.#unanswered) await this.#claim.renew();
        if (isWanted()) await this.#options.runtime.timers.sleep(this.#pauseMs());
      }
      return 'abandoned';
    } finally {
      this.#claim.drop();
    }
  }

  async #tryOnce(): Promise<AcquisitionResult | 'again'> {
    const { nodes, runtime, ttlMs, outage } = this.#options;
    const startedAtMs = runtime.clock.nowMs();
    this.#attempts++;
    const answer = await nodes.tryAcquire(this.#lockKey, ttlMs);
    this.#unanswered = answer === 'unavailable';
    if (answer === 'unavailable') {
      return outage.lastsMs(runtime.clock.nowMs()) >= OUTAGE_GRACE_MS ? 'unavailable' : 'again';
    }
    outage.over();
    if (answer === 'contended') return 'again';
    const leftMs = provenUntilMs(startedAtMs, ttlMs) - runtime.clock.nowMs();
    if (leftMs > ttlMs * LATE_SHARE) return { won: answer, startedAtMs, attempts: this.#attempts };
    await nodes.release(answer);
    return 'again';
  }

  #pauseMs(): number {
    const fullMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * RETRY_GROWTH ** (this.#attempts - 1));
    return fullMs * (0.5 + 0.5 * this.#options.runtime.random.next());
  }
}
