/** How pages use the API: data that they fetch, and actions that a person starts. */
import { ApiError } from './api.ts';

/** An action that a person starts: whether it runs, and why the last one failed. */
export class Action {
  #running = $state(false);
  #fault = $state('');

  get running(): boolean {
    return this.#running;
  }
  /** Empty if it has not failed. */
  get fault(): string {
    return this.#fault;
  }

  /** Runs the work. Errors of the API end up in `fault`. */
  async run(work: () => Promise<void>): Promise<void> {
    this.#running = true;
    this.#fault = '';
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#fault = error.message;
    } finally {
      this.#running = false;
    }
  }
}

/**
 * Fetched data: the data, whether it is being fetched, and why that failed.
 * A load cancels the previous one, so that answers never overtake each other.
 */
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

  /** Fetches again. The earlier data stays until the answer comes. Errors of the API end up in `error`. */
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

  /** Sets the data without fetching. */
  set(data: Data | null): void {
    this.#abort?.abort();
    this.#loading = false;
    this.#data = data;
    this.#error = null;
  }
}
