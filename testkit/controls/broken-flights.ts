import type { ReadFlights } from '../../server/src/reads/index.ts';

/** Plain single-flight (R2 broken): a read joins the one that runs, although it began before the call. */
export class OlderFlights<T> implements ReadFlights<T> {
  readonly #running = new Map<string, Promise<T>>();

  join(key: string, read: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = read().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
