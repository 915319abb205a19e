/**
 * A set of rows of numbers of the same length, each with the row from which it was reached. Rows are numbered in the
 * order in which they are added. They are stored completely, so two different ones are never confused.
 *
 * Open addressing with linear probing in typed arrays: 10 million states cost some hundred megabytes, not gigabytes.
 */
export class StateSet {
  readonly #width: number;
  #rows: Int32Array;
  #parents: Int32Array;
  /** Row numbers + 1; 0 means free. At most half of the slots are taken. */
  #slots: Int32Array;
  #size = 0;

  constructor(width: number) {
    const capacity = 1024;
    this.#width = width;
    this.#rows = new Int32Array(capacity * width);
    this.#parents = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity * 2);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds the row. Returns its number, which is that of an equal row if there is one. */
  add(row: Int32Array, parent: number): number {
    const slot = this.#find(row);
    const taken = this.#slots[slot] ?? 0;
    if (taken > 0) return taken - 1;
    const number = this.#size;
    this.#rows.set(row, number * this.#width);
    this.#parents[number] = parent;
    this.#slots[slot] = number + 1;
    this.#size += 1;
    if (this.#size === this.#parents.length) this.#grow();
    return number;
  }

  /** Copies a row out. */
  read(number: number, into: Int32Array): void {
    const start = number * this.#width;
    into.set(this.#rows.subarray(start, start + this.#width));
  }

  /** The path from the first row to this one, each row reached from the previous one. */
  pathTo(number: number): number[] {
    const path: number[] = [];
    for (let at = number; at !== -1; at = this.#parents[at] ?? -1) path.push(at);
    return path.reverse();
  }

  #find(row: Int32Array): number {
    const mask = this.#slots.length - 1;
    let slot = hash(row, 0, this.#width) & mask;
    for (;;) {
      const taken = this.#slots[slot] ?? 0;
      if (taken === 0 || this.#isEqual(row, taken - 1)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isEqual(row: Int32Array, number: number): boolean {
    const start = number * this.#width;
    for (let at = 0; at < this.#width; at += 1) {
      if (row[at] !== this.#rows[start + at]) return false;
    }
    return true;
  }

  #grow(): void {
    const capacity = this.#parents.length * 2;
    this.#rows = larger(this.#rows, capacity * this.#width);
    this.#parents = larger(this.#parents, capacity);
    this.#slots = new Int32Array(capacity * 2);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#size; number += 1) {
      let slot = hash(this.#rows, number * this.#width, this.#width) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

function larger(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(length);
  grown.set(array);
  return grown;
}

/** A hash of `width` numbers from `start`, by multiplying and shifting as in MurmurHash3. */
function hash(numbers: Int32Array, start: number, width: number): number {
  let mixed = 0x9e3779b9;
  for (let at = start; at < start + width; at += 1) {
    mixed = Math.imul(mixed ^ (numbers[at] ?? 0), 0x85ebca6b);
    mixed ^= mixed >>> 15;
  }
  return Math.imul(mixed, 0xc2b2ae35) >>> 1;
}
