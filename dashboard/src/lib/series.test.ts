import type { MetricsPoint } from '@lockstep/shared';
import { expect, it } from 'vitest';
import { mergeSeries, spanOf, toColumns } from './series.ts';

const point = (atMs: number, writesPerSecond = 1): MetricsPoint => ({
  atMs,
  writesPerSecond,
  readsPerSecond: 0,
  errorsPerSecond: 0,
  hitRate: null,
  writeP50Ms: null,
  writeP99Ms: null,
  readP50Ms: null,
  readP99Ms: null,
  lockWaitP99Ms: null,
  locksHeld: 0,
  locksWaiting: 0,
  outboxDepth: 0,
  consistency: null,
});
const writes = { label: 'writes', value: (p: MetricsPoint) => p.writesPerSecond, color: 'line-1' };

it('adds new points and lets those older than an hour go', () => {
  const merged = mergeSeries([point(0), point(3_000_000)], [point(3_700_000)]);
  expect(merged.map((p) => p.atMs)).toEqual([3_000_000, 3_700_000]);
});
it('replaces what a new snapshot covers', () => {
  const merged = mergeSeries(
    [point(1000, 1), point(2000, 1), point(3000, 1)],
    [point(2000, 9), point(4000, 9)],
  );
  expect(merged.map((p) => [p.atMs, p.writesPerSecond])).toEqual([
    [1000, 1],
    [2000, 9],
    [4000, 9],
  ]);
});
it('keeps what it has when nothing came', () => {
  expect(mergeSeries([point(1)], [])).toHaveLength(1);
});
it('draws no line over a gap', () => {
  const [xs, ys] = toColumns([point(1000), point(2000), point(60_000)], [writes]);
  expect(xs).toEqual([1, 2, 3, 60]);
  expect(ys).toEqual([1, 1, null, 1]);
});
it('knows the time that it covers', () => {
  expect(spanOf([])).toBe(0);
  expect(spanOf([point(1000), point(61_000)])).toBe(60_000);
});
