/**
 * When the second delete of `delayed-double-delete` follows the first.
 *
 * It must come after the slowest reader that read the old row before the write and then puts it into the cache. If the
 * configuration has no delay, it is derived from measurements: the 99th percentile of the resource's reads from the
 * database, plus the lag of the replicas, plus a margin. It remains a guess: a slower reader leaves an old row until the
 * TTL or an audit removes it, which is the known weakness of this pattern.
 */
import { type Resource, rulesOf, type TelemetryEvent } from '../domain/index.ts';

/** The lag of the slowest replica, in ms. */
export interface ReplicaLag {
  lagMs(): number;
}

/** Every read goes to the primary. */
export const NO_REPLICAS: ReplicaLag = { lagMs: () => 0 };

export interface SecondDeleteDelay {
  /** Time from the write to its second delete, in ms. */
  afterMs(resource: Resource): number;
}

/** The lower bound of a derived delay, also used before anything was measured. */
const LEAST_MS = 1_000;
const MOST_MS = 60_000;
const MARGIN_MS = 500;
/** The percentile is computed from this many reads, the latest ones. */
const KEPT_READS = 512;
const PERCENTILE = 0.99;

/** The latest read times of one resource, in ms, as a ring. The percentile is computed every `KEPT_READS / 8` reads. */
class ReadTimes {
  readonly #ring: number[] = [];
  #next = 0;
  #sinceComputed = 0;
  #p99Ms = 0;

  add(tookMs: number): void {
    this.#ring[this.#next] = tookMs;
    this.#next = (this.#next + 1) % KEPT_READS;
    this.#sinceComputed += 1;
  }

  get p99Ms(): number {
    if (this.#sinceComputed >= Math.min(this.#ring.length, KEPT_READS / 8)) {
      const sorted = [...this.#ring].sort((a, b) => a - b);
      this.#p99Ms = sorted[Math.ceil(sorted.length * PERCENTILE) - 1] ?? 0;
      this.#sinceComputed = 0;
    }
    return this.#p99Ms;
  }
}

/** The configured delay, or one derived from the reads of this process. */
export class DerivedDelay implements SecondDeleteDelay {
  readonly #lag: ReplicaLag;
  /** By resource name. */
  readonly #times = new Map<string, ReadTimes>();

  constructor(lag: ReplicaLag) {
    this.#lag = lag;
  }

  /** Records how long a read from the database took, if the resource's delay is derived. */
  note(event: TelemetryEvent): void {
    if (event.type !== 'read' || event.source === 'cache' || event.source === null) return;
    const { resource } = event.key;
    if (!rulesOf(resource).hasSecondDelete || resource.secondDeleteAfterMs !== null) return;
    let times = this.#times.get(resource.name);
    if (times === undefined) this.#times.set(resource.name, (times = new ReadTimes()));
    times.add(event.totalMs);
  }

  afterMs(resource: Resource): number {
    if (resource.secondDeleteAfterMs !== null) return resource.secondDeleteAfterMs;
    const readMs = this.#times.get(resource.name)?.p99Ms ?? 0;
    const derivedMs = readMs + this.#lag.lagMs() + MARGIN_MS;
    return Math.round(Math.min(MOST_MS, Math.max(LEAST_MS, derivedMs)));
  }
}
