import type { Timers } from '../runtime/index.ts';

/** Lets one waiter sleep until it is woken. A wake-up that comes while nobody waits is kept for the next wait. */
export class WakeUp {
  readonly #timers: Pick<Timers, 'sleep'>;
  #isPending = false;
  #sleep: AbortController | null = null;

  constructor(timers: Pick<Timers, 'sleep'>) {
    this.#timers = timers;
  }

  wake(): void {
    this.#isPending = true;
    this.#sleep?.abort();
  }

  /** Forgets a wake-up that is kept: what it asked for begins now. */
  clear(): void {
    this.#isPending = false;
  }

  /** Resolves with true when it is woken, with false after `timeoutMs` or when `signal` aborts. */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#isPending && !signal.aborted && timeoutMs > 0) {
      const sleep = new AbortController();
      const end = (): void => sleep.abort();
      this.#sleep = sleep;
      signal.addEventListener('abort', end, { once: true });
      await this.#timers.sleep(timeoutMs, sleep.signal);
      signal.removeEventListener('abort', end);
      this.#sleep = null;
    }
    const wasWoken = this.#isPending;
    this.#isPending = false;
    return wasWoken;
  }
}
