/**
 * The most frequent items of an endless stream, in fixed memory: Space-Saving (Metwally, Agrawal and El Abbadi,
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005).
 *
 * Invariants, with `capacity` counters after `total` hits
 *   - `count - error <= true count <= count` for every monitored item.
 *   - The counts add up to `total`, so an item that is not monitored was hit at most `total / capacity` times, and
 *     every item that was hit more often is monitored.
 *
 * A new item takes over the lowest counter, found by a scan of all counters: with a few hundred of them that costs
 * less than keeping the paper's ordered list of buckets up to date on every hit.
 */
export interface Counter<T> {
  readonly id: string;
  /** At most `error` too high. */
  count: number;
  error: number;
  /** The caller's data for the item while it is monitored. */
  readonly data: T;
}

export class SpaceSaving<T> {
  readonly capacity: number;
  readonly #counters = new Map<string, Counter<T>>();

  /** @param capacity counters, at least 1 */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Counts one hit. `create` makes the data of an item that was not monitored. */
  hit(id: string, create: () => T): Counter<T> {
    const known = this.#counters.get(id);
    if (known !== undefined) {
      known.count++;
      return known;
    }
    const startCount = this.#makeRoom();
    const counter = { id, count: startCount + 1, error: startCount, data: create() };
    this.#counters.set(id, counter);
    return counter;
  }

  get(id: string): Counter<T> | undefined {
    return this.#counters.get(id);
  }

  get size(): number {
    return this.#counters.size;
  }

  /** The most often that an item that is not monitored may have been hit. */
  get unseenAtMost(): number {
    return this.#counters.size < this.capacity ? 0 : (this.#lowest()?.count ?? 0);
  }

  counters(): IterableIterator<Counter<T>> {
    return this.#counters.values();
  }

  /** Drops the lowest counter where all are taken. @returns the count from which the new counter starts */
  #makeRoom(): number {
    if (this.#counters.size < this.capacity) return 0;
    const lowest = this.#lowest();
    if (lowest === null) return 0;
    this.#counters.delete(lowest.id);
    return lowest.count;
  }

  #lowest(): Counter<T> | null {
    let lowest: Counter<T> | null = null;
    for (const counter of this.#counters.values()) {
      if (lowest === null || counter.count < lowest.count) lowest = counter;
    }
    return lowest;
  }
}

/**
 * Merges the summaries of two streams, highest counts first. The bounds hold for the joined stream (Agarwal et al.,
 * "Mergeable Summaries", 2012): an item that one summary does not monitor may have been hit there as often as its
 * lowest counter says.
 */
export function mergeCounters<T>(
  first: SpaceSaving<T>,
  second: SpaceSaving<T>,
  mergeData: (first: T, second: T) => T,
): Counter<T>[] {
  const merged: Counter<T>[] = [];
  const [missedFirst, missedSecond] = [first.unseenAtMost, second.unseenAtMost];
  for (const counter of first.counters()) {
    const other = second.get(counter.id);
    merged.push({
      id: counter.id,
      count: counter.count + (other?.count ?? missedSecond),
      error: counter.error + (other?.error ?? missedSecond),
      data: other === undefined ? counter.data : mergeData(counter.data, other.data),
    });
  }
  for (const counter of second.counters()) {
    if (first.get(counter.id) !== undefined) continue;
    const { id, data } = counter;
    merged.push({
      id,
      count: counter.count + missedFirst,
      error: counter.error + missedFirst,
      data,
    });
  }
  return merged.sort((a, b) => b.count - a.count);
}
