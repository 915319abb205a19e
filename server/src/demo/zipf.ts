/**
 * Picks ranks by Zipf's law: rank `k` is `k^exponent` times rarer than rank 0, as keys are in real traffic.
 * Exact, from a table of `size` numbers.
 */
export class Zipf {
  readonly #cumulative: Float64Array;

  constructor(size: number, exponent: number) {
    if (!(size >= 1)) throw new RangeError('Zipf needs at least one rank');
    this.#cumulative = new Float64Array(size);
    let sum = 0;
    for (let rank = 0; rank < size; rank++) {
      sum += 1 / (rank + 1) ** exponent;
      this.#cumulative[rank] = sum;
    }
  }

  /** @param uniform in [0, 1) @returns a rank from 0 to size - 1 */
  pick(uniform: number): number {
    const size = this.#cumulative.length;
    const wanted = uniform * (this.#cumulative[size - 1] ?? 0);
    let low = 0;
    let high = size - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#cumulative[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
