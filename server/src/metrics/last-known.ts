import { atMost, type Runtime } from '../runtime/index.ts';

/**
 * The last answer of a source that may be slow or fail: a database that is away must not keep the live stream or
 * `/metrics` waiting.
 *
 * Invariants: at most one call is in flight; an answer stays until a newer one replaces it; `refresh` never rejects.
 */
export class LastKnown<T> {
  readonly #ask: () => T | Promise<T>;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
  readonly #name: string;
  #known: { value: T; atMs: number } | null = null;
  #inFlight: Promise<void> | null = null;
  #isFailing = false;

  constructor(
    name: string,
    ask: () => T | Promise<T>,
    runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
  ) {
    this.#name = name;
    this.#ask = ask;
    this.#runtime = runtime;
  }

  /** The last answer and when it was true (ms since the epoch); null before the first. */
  get known(): { value: T; atMs: number } | null {
    return this.#known;
  }

  /** Asks, unless a call is in flight. */
  refresh(): void {
    this.#inFlight ??= this.#update().finally(() => {
      this.#inFlight = null;
    });
  }

  /** Asks and waits for the answer, but no longer than `timeoutMs`. */
  async refreshed(timeoutMs: number): Promise<{ value: T; atMs: number } | null> {
    this.refresh();
    await atMost(this.#runtime.timers, timeoutMs, this.#inFlight ?? Promise.resolve());
    return this.#known;
  }

  async #update(): Promise<void> {
    try {
      const value = await this.#ask();
      this.#known = { value, atMs: this.#runtime.clock.wallMs() };
      this.#isFailing = false;
    } catch (error) {
      // Logged once for an outage, not once a second.
      if (!this.#isFailing) {
        this.#runtime.log.warn({ err: error, source: this.#name }, 'a live source does not answer');
      }
      this.#isFailing = true;
    }
  }
}
