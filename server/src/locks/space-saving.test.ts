import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeCounters, SpaceSaving, type Counter } from './space-saving.ts';

/** Streams with a few frequent items and many rare ones. */
const stream = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 60 })).map(String),
  { maxLength: 400 },
);
const capacity = fc.integer({ min: 1, max: 20 });

function summaryOf(items: readonly string[], size: number): SpaceSaving<null> {
  const summary = new SpaceSaving<null>(size);
  for (const item of items) summary.hit(item, () => null);
  return summary;
}

function exactCounts(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function expectBounds(counters: Iterable<Counter<null>>, exact: Map<string, number>): void {
  for (const { id, count, error } of counters) {
    const truth = exact.get(id) ?? 0;
    expect(truth).toBeLessThanOrEqual(count);
    expect(truth).toBeGreaterThanOrEqual(count - error);
  }
}

describe('Space-Saving', () => {
  it('brackets the true count of every monitored item, in bounded memory', () => {
    fc.assert(
      fc.property(stream, capacity, (items, size) => {
        const summary = summaryOf(items, size);
        expect(summary.size).toBeLessThanOrEqual(size);
        expectBounds(summary.counters(), exactCounts(items));
      }),
    );
  });

  it('monitors every item with more than 1/capacity of the hits', () => {
    fc.assert(
      fc.property(stream, capacity, (items, size) => {
        const summary = summaryOf(items, size);
        for (const [item, count] of exactCounts(items)) {
          if (count > items.length / size) expect(summary.get(item)).toBeDefined();
          if (summary.get(item) === undefined) {
            expect(count).toBeLessThanOrEqual(summary.unseenAtMost);
          }
        }
      }),
    );
  });

  it('keeps the sum of its counts equal to the hits', () => {
    fc.assert(
      fc.property(stream, capacity, (items, size) => {
        const counts = [...summaryOf(items, size).counters()].map(({ count }) => count);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(items.length);
      }),
    );
  });

  it('keeps its bounds when two summaries are joined', () => {
    fc.assert(
      fc.property(stream, stream, capacity, capacity, (first, second, size, otherSize) => {
        const merged = mergeCounters(
          summaryOf(first, size),
          summaryOf(second, otherSize),
          () => null,
        );
        expectBounds(merged, exactCounts([...first, ...second]));
        const counts = merged.map(({ count }) => count);
        expect(counts).toEqual(counts.toSorted((a, b) => b - a));
      }),
    );
  });

  it('makes new data for an item that comes back', () => {
    const summary = new SpaceSaving<{ made: number }>(1);
    let made = 0;
    const create = () => ({ made: ++made });
    expect(summary.hit('a', create).data.made).toBe(1);
    expect(summary.hit('a', create).data.made).toBe(1);
    expect(summary.hit('b', create)).toMatchObject({ count: 3, error: 2, data: { made: 2 } });
    expect(summary.hit('a', create).data.made).toBe(3);
  });
});
