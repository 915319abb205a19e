/** Shorter durations count as zero, in ms. */
const LEAST_MS = 1 / 32;
const BUCKETS_PER_OCTAVE = 4;
/** Up to about two minutes; longer ones count in the last bucket. */
const BUCKETS = 22 * BUCKETS_PER_OCTAVE;

/**
 * A histogram of durations in a few hundred bytes, so that each of many keys can have its own. The buckets grow with
 * the value; a quantile is off by at most a tenth.
 */
export class DurationBuckets {
  readonly #counts = new Uint32Array(BUCKETS);

  record(durationMs: number): void {
    const index = bucketOf(durationMs);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  /** The duration in ms that a share (0 to 1) of the recorded durations do not exceed; 0 where there are none. */
  quantile(share: number): number {
    let total = 0;
    for (const count of this.#counts) total += count;
    const rank = Math.max(1, Math.ceil(share * total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return middleOf(index);
    }
    return 0;
  }

  /** A histogram of both. */
  plus(other: DurationBuckets): DurationBuckets {
    const sum = new DurationBuckets();
    for (let index = 0; index < BUCKETS; index++) {
      sum.#counts[index] = (this.#counts[index] ?? 0) + (other.#counts[index] ?? 0);
    }
    return sum;
  }
}

function bucketOf(durationMs: number): number {
  if (!(durationMs > LEAST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(durationMs / LEAST_MS) * BUCKETS_PER_OCTAVE));
}

/** The geometric middle of a bucket, in µs precision. */
function middleOf(index: number): number {
  return Math.round(LEAST_MS * 2 ** ((index + 0.5) / BUCKETS_PER_OCTAVE) * 1000) / 1000;
}
