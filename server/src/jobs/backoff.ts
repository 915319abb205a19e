/**
 * How long to wait before something that failed is tried again.
 *
 * The bound doubles with each failure in a row: `minMs`, 2 `minMs`, 4 `minMs`, … up to `maxMs`. The wait is drawn at
 * random below it, so that those which failed together do not come back together:
 *   equal  between half of the bound and the bound: it always waits for a while
 *   full   between 0 and the bound: it spreads the most
 */
import type { Random } from '../runtime/index.ts';

export interface BackoffOptions {
  /** Bound of the wait after the first failure. */
  minMs: number;
  /** Bound of every wait. */
  maxMs: number;
  jitter: 'equal' | 'full';
}

/**
 * The wait after the latest of some failures.
 * @param failuresBefore failures in a row before this one
 * @param random uniform in [0, 1)
 */
export function backoffMs(
  { minMs, maxMs, jitter }: BackoffOptions,
  failuresBefore: number,
  random: number,
): number {
  const boundMs = Math.min(maxMs, minMs * 2 ** failuresBefore);
  return jitter === 'full' ? boundMs * random : (boundMs / 2) * (1 + random);
}

/** Counts the failures in a row of one thing. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Failures in a row so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and returns how long to wait. */
  nextMs(): number {
    const delayMs = backoffMs(this.#options, this.#failures, this.#random.next());
    this.#failures += 1;
    return delayMs;
  }

  /** It succeeded: the next failure is the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
