/**
 * A histogram of durations with a bounded relative error, after the idea of HdrHistogram (Gil Tene): buckets whose
 * widths grow with the value, so that 0.1 ms and 10 s have the same relative precision in a fixed number of counters.
 *
 * Range 1 µs to about 17 minutes; below and above, values count in the first and the last bucket. An answer is off by
 * at most 2.2 % of the value.
 */
const LEAST_MS = 0.001;
const BUCKETS_PER_OCTAVE = 16;
const OCTAVES = 30;
const BUCKETS = BUCKETS_PER_OCTAVE * OCTAVES;

export class LogHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #lowest = BUCKETS;
  #highest = -1;

  /** How many values have been recorded since the last reset. */
  get count(): number {
    return this.#total;
  }

  /** Records one duration in ms; what is not a number or below zero counts as the least. */
  record(valueMs: number): void {
    const index = bucketOf(valueMs);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
    if (index < this.#lowest) this.#lowest = index;
    if (index > this.#highest) this.#highest = index;
  }

  /** The least value that at least `share` (0 to 1) of the values do not exceed, in ms; null where there are none. */
  quantile(share: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(Math.min(1, share) * this.#total));
    let seen = 0;
    for (let index = this.#lowest; index <= this.#highest; index++) {
      seen += this.#counts[index] ?? 0;
      if (seen >= rank) return middleOf(index);
    }
    return middleOf(this.#highest);
  }

  /** Forgets all values. Costs only as much as the range of values that were recorded. */
  reset(): void {
    if (this.#total > 0) this.#counts.fill(0, this.#lowest, this.#highest + 1);
    this.#total = 0;
    this.#lowest = BUCKETS;
    this.#highest = -1;
  }
}

function bucketOf(valueMs: number): number {
  if (!(valueMs > LEAST_MS)) return 0;
  const index = Math.floor(Math.log2(valueMs / LEAST_MS) * BUCKETS_PER_OCTAVE);
  return index < BUCKETS ? index : BUCKETS - 1;
}

/** The geometric middle of a bucket, to four significant digits. */
function middleOf(index: number): number {
  return Number((LEAST_MS * 2 ** ((index + 0.5) / BUCKETS_PER_OCTAVE)).toPrecision(4));
}
