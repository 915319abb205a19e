import type { Key } from '../domain/index.ts';
import type { Grant } from './lock-nodes.ts';
import { WaitMarker, type WaitMarkerOptions } from './wait-marker.ts';
import { provenUntilMs } from './process-lock.ts';

/**
 * The pause between two attempts grows from the first to the last figure. Jitter keeps several processes from retrying
 * in step. Short enough to find a free lock soon, long enough to cost the nodes little.
 */
const FIRST_RETRY_MS = 5;
export const LAST_RETRY_MS = 25;
const RETRY_GROWTH = 1.6;
/** After this many failed attempts, a marker shows the holder that another process waits. Most locks are free before. */
const ATTEMPTS_BEFORE_MARKER = 2;
/** How long no majority may answer before callers are refused: a node that restarts or a paused process is no outage. */
const OUTAGE_GRACE_MS = 300;
/** A lock that is granted with less than this share of its time left is given back. */
const LATE_SHARE = 0.5;

export type AcquisitionResult =
  | { grant: Grant; startedAtMs: number; attempts: number }
  /** Nobody wants the lock any more. */
  | 'abandoned'
  /** No majority of the nodes that vote on it has answered for longer than the grace period. */
  | 'unavailable';

/**
 * Since when no call of this process got an answer from a majority, for each group of nodes. All keys of a group share
 * it, so that callers fail fast.
 */
export class Outages {
  readonly #sinceMs = new Map<number, number>();

  end(group: number): void {
    this.#sinceMs.delete(group);
  }

  /** Records one more call without an answer. @returns how long the outage has lasted, in ms */
  record(group: number, nowMs: number): number {
    const sinceMs = this.#sinceMs.get(group) ?? nowMs;
    this.#sinceMs.set(group, sinceMs);
    return nowMs - sinceMs;
  }
}

export interface AcquisitionOptions extends WaitMarkerOptions {
  ttlMs: number;
  outages: Outages;
}

/** The attempts of this process to get one key's lock from the nodes. Whichever caller is then first gets it. */
export class Acquisition {
  readonly #options: AcquisitionOptions;
  readonly #lockKey: string;
  readonly #marker: WaitMarker;
  #attempts = 0;
  #unanswered = false;

  constructor(options: AcquisitionOptions, key: Key) {
    this.#options = options;
    this.#lockKey = key.lockKey;
    this.#marker = new WaitMarker(options, key);
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** The last attempt got no answer from a majority. */
  get unanswered(): boolean {
    return this.#unanswered;
  }

  /** Tries until the lock is granted, nobody wants it, or the nodes are unavailable. Rejects only on a defect. */
  async run(isWanted: () => boolean): Promise<AcquisitionResult> {
    try {
      while (isWanted()) {
        const result = await this.#tryOnce();
        if (result !== 'again') return result;
        if (this.#attempts >= ATTEMPTS_BEFORE_MARKER && !this.#unanswered) {
          await this.#marker.renew();
        }
        if (isWanted()) await this.#options.runtime.timers.sleep(this.#pauseMs());
      }
      return 'abandoned';
    } finally {
      this.#marker.remove();
    }
  }

  async #tryOnce(): Promise<AcquisitionResult | 'again'> {
    const { nodes, runtime, ttlMs, outages } = this.#options;
    const group = nodes.groupOf(this.#lockKey);
    const startedAtMs = runtime.clock.nowMs();
    this.#attempts++;
    const answer = await nodes.tryAcquire(this.#lockKey, ttlMs);
    this.#unanswered = answer === 'unavailable';
    if (answer === 'unavailable') {
      return outages.record(group, runtime.clock.nowMs()) >= OUTAGE_GRACE_MS
        ? 'unavailable'
        : 'again';
    }
    outages.end(group);
    if (answer === 'contended') return 'again';
    const leftMs = provenUntilMs(startedAtMs, ttlMs) - runtime.clock.nowMs();
    if (leftMs > ttlMs * LATE_SHARE) {
      return { grant: answer, startedAtMs, attempts: this.#attempts };
    }
    await nodes.release(answer);
    return 'again';
  }

  #pauseMs(): number {
    const fullMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * RETRY_GROWTH ** (this.#attempts - 1));
    return fullMs * (0.5 + 0.5 * this.#options.runtime.random.next());
  }
}
