/**
 * Gives equal parts of states the same number and the same object, so that states are short rows of numbers: the
 * "collapse" compression of the model checker SPIN (G. J. Holzmann, "State compression in SPIN", 1997).
 */
export class Interner<T> {
  readonly #numbers = new Map<string, number>();
  readonly #parts: T[] = [];
  readonly #keyOf: (part: T) => string;

  /** @param keyOf gives the same key for equal parts, and only for these */
  constructor(keyOf: (part: T) => string) {
    this.#keyOf = keyOf;
  }

  number(part: T): number {
    const key = this.#keyOf(part);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#parts.length);
    return this.#parts.push(part) - 1;
  }

  part(number: number | undefined): T {
    const part = number === undefined ? undefined : this.#parts[number];
    if (part === undefined) throw new Error(`no part has number ${String(number)}`);
    return part;
  }
}
