/**
 * The one scheduler of a simulated world: a queue of events by their time, and the only clock.
 *
 * Invariants
 *   - one event at a time; between two events, all promises that can continue have continued
 *   - events of one moment run in the order in which they were scheduled
 *   - time never goes back, and moves only from one event to the next
 */

/** An event that is scheduled for a moment of the world's time. */
export interface Scheduled {
  cancel(): void;
}

interface Event extends Scheduled {
  dueMs: number;
  order: number;
  run: (() => void) | null;
}

export class Scheduler {
  #nowMs = 0;
  #order = 0;
  #events = 0;
  /** A binary heap, ordered by time and then by the order of scheduling. */
  readonly #heap: Event[] = [];

  /** The world's time in ms, from 0. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many events have run. */
  get events(): number {
    return this.#events;
  }

  at(dueMs: number, run: () => void): Scheduled {
    const event: Event = {
      dueMs: Math.max(dueMs, this.#nowMs),
      order: this.#order++,
      run,
      cancel: () => {
        event.run = null;
      },
    };
    this.#push(event);
    return event;
  }

  after(delayMs: number, run: () => void): Scheduled {
    return this.at(this.#nowMs + Math.max(0, delayMs), run);
  }

  /** Runs events until `isOver` returns true (called after each one), none is left, or `limitMs` is reached. */
  async run(isOver: () => boolean, limitMs: number): Promise<void> {
    await settled();
    while (!isOver()) {
      const event = this.#pop();
      if (event === null) return;
      if (event.run === null) continue;
      if (event.dueMs > limitMs) {
        this.#push(event);
        this.#nowMs = limitMs;
        return;
      }
      this.#nowMs = event.dueMs;
      this.#events += 1;
      event.run();
      await settled();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): Event | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const takesRight = right !== undefined && isBefore(right, left);
      const child = takesRight ? right : left;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (takesRight ? 2 : 1);
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** Resolves when no promise can continue, because only then an immediate runs. Nothing here waits for real time. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
