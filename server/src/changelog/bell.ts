import type { Timers } from '../runtime/index.ts';

/** Wakes one waiter. A ring while nobody waits is kept for the next wait. */
export class Bell {
  readonly #timers: Timers;
  #isRung = false;
  #nap: AbortController | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  ring(): void {
    this.#isRung = true;
    this.#nap?.abort();
  }

  /** Resolves at a ring (true), after `timeoutMs`, or when `signal` aborts (false). */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#isRung && !signal.aborted && timeoutMs > 0) {
      const nap = new AbortController();
      const end = (): void => nap.abort();
      this.#nap = nap;
      signal.addEventListener('abort', end, { once: true });
      await this.#timers.sleep(timeoutMs, nap.signal);
      signal.removeEventListener('abort', end);
      this.#nap = null;
    }
    const wasRung = this.#isRung;
    this.#isRung = false;
    return wasRung;
  }
}
