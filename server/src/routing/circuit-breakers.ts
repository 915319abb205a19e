import type { Clock } from '../runtime/index.ts';

/** How long a breaker stays open at first. Doubles with each failure in a row, up to LONGEST_MS. */
const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** After this time without a failure, the next one counts as the first again. */
const FORGOTTEN_AFTER_MS = 60_000;
const MAX_MEMBERS = 1_000;

interface Entry {
  sinceMs: number;
  forMs: number;
}

/**
 * A circuit breaker for each member. While it is open, no call is forwarded to the member.
 *
 * States: closed -> open (a call failed) -> closed, after FIRST_MS, and twice as long for each failure that follows soon.
 */
export class CircuitBreakers {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  isOpen(instance: string): boolean {
    const entry = this.#entries.get(instance);
    return entry !== undefined && this.#clock.nowMs() < entry.sinceMs + entry.forMs;
  }

  /** Returns whether it was closed before. Calls in flight that fail at the same time count once. */
  open(instance: string): boolean {
    if (this.isOpen(instance)) return false;
    const nowMs = this.#clock.nowMs();
    const before = this.#entries.get(instance);
    const isAgain =
      before !== undefined && nowMs < before.sinceMs + before.forMs + FORGOTTEN_AFTER_MS;
    this.#entries.delete(instance);
    this.#entries.set(instance, {
      sinceMs: nowMs,
      forMs: isAgain ? Math.min(before.forMs * 2, LONGEST_MS) : FIRST_MS,
    });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_MEMBERS) break;
      this.#entries.delete(oldest);
    }
    return true;
  }
}
