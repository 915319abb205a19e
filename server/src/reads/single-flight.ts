/**
 * One load for many concurrent misses of a key, which never hands a caller the result of a load that began before its
 * own call.
 *
 * A key is idle, loading, or loading with one more load queued. A caller that finds a load running joins the queued one.
 * That starts when the running one has ended, and so after each of its callers called (invariant R2). There are at most
 * two loads of a key at a time, however many callers there are (R1). Plain single-flight, which joins the running load,
 * was rejected: it can answer a value older than a write that was acknowledged before the call.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, { running: Promise<T>; queued: Promise<T> | null }>();

  /** Runs `load` for this key, or joins the load that is queued to start next. */
  join(key: string, load: () => Promise<T>): Promise<T> {
    const flight = this.#flights.get(key);
    if (flight === undefined) return this.#start(key, load);
    flight.queued ??= this.#startAfter(key, flight.running, load);
    return flight.queued;
  }

  get size(): number {
    return this.#flights.size;
  }

  async #startAfter(key: string, running: Promise<T>, load: () => Promise<T>): Promise<T> {
    await running.catch(() => undefined);
    return this.#start(key, load);
  }

  #start(key: string, load: () => Promise<T>): Promise<T> {
    const running = load();
    const flight = { running, queued: null };
    this.#flights.set(key, flight);
    const end = (): void => this.#end(key, flight);
    running.then(end, end);
    return running;
  }

  /** The key is idle again, unless a queued load is about to start. */
  #end(key: string, flight: { queued: Promise<T> | null }): void {
    if (flight.queued === null) this.#flights.delete(key);
  }
}
