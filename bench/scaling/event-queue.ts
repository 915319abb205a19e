/** Events in the order of their times, in µs; equal times in the order in which they were added. */
export class EventQueue {
  readonly #heap: { atUs: number; order: number; run: () => void }[] = [];
  #order = 0;
  nowUs = 0;

  after(delayUs: number, run: () => void): void {
    const heap = this.#heap;
    const added = { atUs: this.nowUs + delayUs, order: this.#order++, run };
    let at = heap.push(added) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(added, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = added;
  }

  /** Runs everything that is due until `endUs`. */
  runUntil(endUs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atUs <= endUs; next = this.#heap[0]) {
      this.#removeFirst();
      this.nowUs = next.atUs;
      next.run();
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child += 1;
      const below = heap[child];
      if (below === undefined || !isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (
  one: { atUs: number; order: number },
  other: { atUs: number; order: number },
): boolean => one.atUs < other.atUs || (one.atUs === other.atUs && one.order < other.order);
