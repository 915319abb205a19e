import type { RetryOptions } from './types.ts';

/** Retries that are allowed before any call has been made, and that can be saved up. */
const MAX_SAVED = 20;

/**
 * How often and when calls are tried again. The budget keeps retries of all calls together at a part of the calls, so
 * that a coordinator in trouble gets no multiple of its load.
 */
export class Retries {
  readonly maxAttempts: number;
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #ratio: number;
  readonly #random: () => number;
  #saved = MAX_SAVED;

  constructor(options: RetryOptions = {}, random: () => number = Math.random) {
    this.maxAttempts = options.maxAttempts ?? 4;
    this.#baseMs = options.baseMs ?? 20;
    this.#maxMs = options.maxMs ?? 2_000;
    this.#ratio = options.budgetRatio ?? 0.2;
    this.#random = random;
  }

  /** A call begins. */
  called(): void {
    if (this.#saved < MAX_SAVED) this.#saved = Math.min(MAX_SAVED, this.#saved + this.#ratio);
  }

  /**
   * The wait before the next attempt, in ms; null if there is none.
   * @param attempts made so far
   * @param leastMs what the coordinator asked to wait
   */
  next(attempts: number, leastMs = 0): number | null {
    if (attempts >= this.maxAttempts || this.#saved < 1) return null;
    this.#saved -= 1;
    const mostMs = Math.min(this.#maxMs, this.#baseMs * 2 ** attempts);
    return Math.max(leastMs, this.#random() * mostMs);
  }
}
