import type { SingleFlight } from '../../server/src/reads/index.ts';

/** Plain single-flight (R2 broken): a caller joins the load that runs, although it began before the call. */
export class EarlierLoads<T> implements Pick<SingleFlight<T>, 'join'> {
  readonly #running = new Map<string, Promise<T>>();

  join(key: string, load: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = load().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
