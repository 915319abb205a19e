import { describe, expect, it } from 'vitest';
import { condense, SeriesRing } from './series-ring.ts';
import { point } from './testing/points.ts';

/** Adds one second after the other, as a ticking clock would. */
function fill(ring: SeriesRing, seconds: number, fromMs = 1_700_000_000_123): number {
  for (let index = 1; index <= seconds; index++) ring.add(point(fromMs + index * 1_000));
  return fromMs + seconds * 1_000;
}

describe('SeriesRing', () => {
  it('holds one hour of points 5 s apart, oldest first', () => {
    const ring = new SeriesRing();
    fill(ring, 5_000);
    const points = ring.since(0);
    expect(points).toHaveLength(720);
    for (const [index, { atMs }] of points.slice(1).entries()) {
      expect(atMs - (points[index]?.atMs ?? 0)).toBe(5_000);
    }
  });

  it('answers only the points after a moment', () => {
    const ring = new SeriesRing();
    fill(ring, 60);
    const all = ring.since(0);
    expect(ring.since(all.at(-3)?.atMs ?? 0)).toEqual(all.slice(-2));
    expect(ring.since(ring.newestMs)).toEqual([]);
  });

  it('is empty and has no newest point at first', () => {
    const ring = new SeriesRing();
    expect(ring.since(0)).toEqual([]);
    expect(ring.newestMs).toBe(0);
  });

  it('keeps its points in order when the wall clock is set back', () => {
    const ring = new SeriesRing();
    const endMs = fill(ring, 30);
    fill(ring, 10, endMs - 20_000);
    fill(ring, 20, endMs);
    const times = ring.since(0).map(({ atMs }) => atMs);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  });

  it('closes a point over a gap instead of stretching it', () => {
    const ring = new SeriesRing();
    ring.add(point(1_000));
    ring.add(point(60_000));
    ring.add(point(61_000));
    expect(ring.since(0).length).toBeGreaterThanOrEqual(1);
    expect(ring.newestMs).toBeLessThanOrEqual(61_000);
  });
});

describe('condense', () => {
  it('takes the mean of rates, the highest of percentiles and the last of gauges', () => {
    const condensed = condense([
      point(1, { writesPerSecond: 10, writeP99Ms: 9, locksHeld: 5, consistency: 0.9 }),
      point(2, { writesPerSecond: 20, writeP99Ms: null, locksHeld: 1, consistency: 1 }),
    ]);
    expect(condensed).toMatchObject({ atMs: 2, writesPerSecond: 15, writeP99Ms: 9, locksHeld: 1 });
    expect(condensed.consistency).toBe(1);
  });

  it('weights the hit rate by reads', () => {
    const condensed = condense([
      point(1, { readsPerSecond: 90, hitRate: 1 }),
      point(2, { readsPerSecond: 10, hitRate: 0 }),
      point(3, { readsPerSecond: 0, hitRate: null }),
    ]);
    expect(condensed.hitRate).toBeCloseTo(0.9);
  });
});
