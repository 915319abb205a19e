/**
 * When the second delete of `delayed-double-delete` follows the first.
 *
 * It must come after the slowest reader that read the old row before the write has put it into the cache. Where the
 * configuration names no delay it is derived from what is measured: the 99th percentile of the resource's own reads of
 * the database, how far replicas are behind, and a margin. A guess all the same: a reader that takes longer than it
 * leaves an old row until the TTL or an audit, which is the pattern's known weakness.
 */
import { type Resource, rulesOf, type TelemetryEvent } from '../domain/index.ts';

/** How far the replica that is furthest behind is, in ms. */
export interface ReplicaLag {
  lagMs(): number;
}

/** Every read goes to the primary. */
export const NO_REPLICAS: ReplicaLag = { lagMs: () => 0 };

export interface SecondDeleteDelay {
  /** Time from the write to its second delete, in ms. */
  afterMs(resource: Resource): number;
}

/** Before anything was measured, and the least that is ever derived. */
const LEAST_MS = 1_000;
const MOST_MS = 60_000;
const MARGIN_MS = 500;
/** Latest reads that a percentile is taken of. */
const KEPT_READS = 512;
const PERCENTILE = 0.99;

/** The latest read times of one resource, in ms, in a ring; the percentile is computed once in `KEPT_READS / 8` reads. */
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

/** The configured delay, or one that is derived. Notes the reads of the resources that need one, of this process. */
export class DerivedDelay implements SecondDeleteDelay {
  readonly #lag: ReplicaLag;
  /** By resource name. */
  readonly #times = new Map<string, ReadTimes>();

  constructor(lag: ReplicaLag) {
    this.#lag = lag;
  }

  /** Takes note of a read that went to the database. */
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
