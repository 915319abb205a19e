/**
 * Something fetched: its data, whether it is being fetched, and why it could not be.
 * A later load cancels the one before, so that answers never overtake each other.
 */
import { ApiError } from './api.ts';

export class Remote<Data> {
  #data = $state.raw<Data | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #loading = $state(false);
  #abort: AbortController | null = null;

  get data(): Data | null {
    return this.#data;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  get loading(): boolean {
    return this.#loading;
  }

  /** Fetches anew; what was there stays until the answer comes. Errors of the API end up in `error`. */
  async load(fetcher: (signal: AbortSignal) => Promise<Data>): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#loading = true;
    try {
      const data = await fetcher(abort.signal);
      if (abort.signal.aborted) return;
      this.#data = data;
      this.#error = null;
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#error = error;
    } finally {
      if (this.#abort === abort) this.#loading = false;
    }
  }

  /** Puts data in place without fetching. */
  set(data: Data | null): void {
    this.#abort?.abort();
    this.#loading = false;
    this.#data = data;
    this.#error = null;
  }
}
