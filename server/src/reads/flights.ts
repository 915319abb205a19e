/** Database reads that concurrent misses of a key share. */
export interface ReadFlights<T> {
  /** Runs `read` for this key, or joins a flight of it that has not begun yet. */
  join(key: string, read: () => Promise<T>): Promise<T>;
}

/**
 * One database read for many concurrent misses of a key, without ever handing a caller a read that began before its
 * own call.
 *
 * States of a key: idle, running, running with one flight queued. A caller that finds a flight running joins the
 * queued one, which starts when the running one has ended, hence after every one of its callers called (invariant R2).
 * At most two flights exist for a key, however many callers there are. Plain single-flight, which joins the running
 * read, was rejected: it can answer a value older than a write acknowledged before the call.
 */
export class Flights<T> implements ReadFlights<T> {
  readonly #flights = new Map<string, { running: Promise<T>; queued: Promise<T> | null }>();

  /** Runs `read` for this key alone, or joins the flight that is queued to start next. */
  join(key: string, read: () => Promise<T>): Promise<T> {
    const flight = this.#flights.get(key);
    if (flight === undefined) return this.#start(key, read);
    flight.queued ??= this.#startAfter(key, flight.running, read);
    return flight.queued;
  }

  get size(): number {
    return this.#flights.size;
  }

  async #startAfter(key: string, running: Promise<T>, read: () => Promise<T>): Promise<T> {
    await running.catch(() => undefined);
    return this.#start(key, read);
  }

  #start(key: string, read: () => Promise<T>): Promise<T> {
    const running = read();
    const flight = { running, queued: null };
    this.#flights.set(key, flight);
    const end = (): void => this.#end(key, flight);
    running.then(end, end);
    return running;
  }

  /** The key is idle again unless a queued flight is about to take its place. */
  #end(key: string, flight: { queued: Promise<T> | null }): void {
    if (flight.queued === null) this.#flights.delete(key);
  }
}
