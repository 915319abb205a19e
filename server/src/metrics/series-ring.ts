import type { MetricsPoint } from '@lockstep/shared';

/**
 * The last hour, in a fixed ring: one point for each 5 seconds, condensed from the points of the single seconds.
 *
 * Invariants: at most CAPACITY points; their `atMs` only grows; a point stands for the seconds up to its `atMs`.
 */
const POINT_MS = 5_000;
const CAPACITY = 720;

export class SeriesRing {
  readonly #points = new Array<MetricsPoint | undefined>(CAPACITY);
  /** How many points were written since the start. */
  #written = 0;
  #open: MetricsPoint[] = [];

  /** Adds one second. Returns the point that it completed, if it did. */
  add(second: MetricsPoint): MetricsPoint | null {
    const last = this.#open.at(-1);
    // A second that ends before the last one comes from a wall clock that was set back: it must not break the order.
    if (last !== undefined && second.atMs < last.atMs) this.#open = [];
    const before = this.#points[(this.#written - 1) % CAPACITY];
    if (before !== undefined && second.atMs <= before.atMs) return null;
    this.#open.push(second);
    const slot = Math.floor(second.atMs / POINT_MS);
    const firstSlot = Math.floor((this.#open[0]?.atMs ?? second.atMs) / POINT_MS);
    const isFull = this.#open.length * 1_000 >= POINT_MS;
    if (slot === firstSlot && !isFull) return null;
    const point = condense(this.#open);
    this.#open = [];
    this.#points[this.#written % CAPACITY] = point;
    this.#written++;
    return point;
  }

  /** The points after `afterMs`, oldest first. */
  since(afterMs: number): MetricsPoint[] {
    const points: MetricsPoint[] = [];
    const length = Math.min(this.#written, CAPACITY);
    for (let back = 1; back <= length; back++) {
      const point = this.#points[(this.#written - back) % CAPACITY];
      if (point === undefined || point.atMs <= afterMs) break;
      points.push(point);
    }
    return points.reverse();
  }

  /** When the newest point ends, in ms since the epoch; 0 before the first. */
  get newestMs(): number {
    return this.#points[(this.#written - 1) % CAPACITY]?.atMs ?? 0;
  }
}

/**
 * One point for several seconds: rates are their mean, the hit rate is weighted by reads, percentiles are the highest
 * (the true percentile of the whole lies at or below it), gauges are the last ones.
 */
export function condense(seconds: readonly MetricsPoint[]): MetricsPoint {
  const last = seconds.at(-1);
  if (last === undefined) throw new RangeError('there is nothing to condense');
  const mean = (pick: (second: MetricsPoint) => number): number =>
    round(seconds.reduce((sum, second) => sum + pick(second), 0) / seconds.length);
  const highest = (pick: (second: MetricsPoint) => number | null): number | null =>
    highestOf(seconds.map(pick));
  return {
    atMs: last.atMs,
    writesPerSecond: mean((second) => second.writesPerSecond),
    readsPerSecond: mean((second) => second.readsPerSecond),
    errorsPerSecond: mean((second) => second.errorsPerSecond),
    hitRate: weightedHitRate(
      seconds.map(({ hitRate, readsPerSecond }) => ({ hitRate, weight: readsPerSecond })),
    ),
    writeP50Ms: highest((second) => second.writeP50Ms),
    writeP99Ms: highest((second) => second.writeP99Ms),
    readP50Ms: highest((second) => second.readP50Ms),
    readP99Ms: highest((second) => second.readP99Ms),
    lockWaitP99Ms: highest((second) => second.lockWaitP99Ms),
    locksHeld: last.locksHeld,
    locksWaiting: last.locksWaiting,
    outboxDepth: last.outboxDepth,
    consistency: last.consistency,
  };
}

/** The highest of the values that are there; null where none is. */
export function highestOf(values: readonly (number | null)[]): number | null {
  let highest: number | null = null;
  for (const value of values) {
    if (value !== null && (highest === null || value > highest)) highest = value;
  }
  return highest;
}

/** The mean hit rate by weight; null where nothing was read. */
export function weightedHitRate(
  parts: readonly { hitRate: number | null; weight: number }[],
): number | null {
  let hits = 0;
  let reads = 0;
  for (const { hitRate, weight } of parts) {
    if (hitRate === null) continue;
    hits += hitRate * weight;
    reads += weight;
  }
  return reads === 0 ? null : hits / reads;
}

const round = (value: number): number => Math.round(value * 100) / 100;
