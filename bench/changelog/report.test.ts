import { describe, expect, it } from 'vitest';
import { findFailures, memoryGrowth, type Report } from './report.ts';

const report = (changes: Partial<Report['flood']>, p99Ms = 20): Report => ({
  database: 'any',
  flood: {
    changes: 1_000,
    changesPerSecond: 9_000,
    cpuMicrosEach: 50,
    memoryMib: [60, 90, 100, 100, 100, 100, 101, 102],
    ...changes,
  },
  pace: {
    changesPerSecond: 500,
    seconds: 2,
    invalidated: 1_000,
    commitP99Ms: 9,
    p50Ms: 5,
    p99Ms,
    worstMs: p99Ms,
  },
});

describe('the report of the change log’s benchmark', () => {
  it('C5: reports memory that grows with the changes, but not a heap that is still settling to its size', () => {
    expect(findFailures(report({}))).toEqual([]);
    expect(memoryGrowth([60, 90, 100, 100, 100, 100, 101, 102])).toBeCloseTo(1.015);
    expect(findFailures(report({ memoryMib: [60, 90, 100, 110, 120, 130, 140, 150] }))).toEqual([
      'memory grew by 1.38',
    ]);
  });

  it('reports a rate below the goal, and a p99 above it', () => {
    expect(findFailures(report({ changesPerSecond: 4_000 }, 101))).toEqual([
      '4000 changes a second; the goal is 5000',
      'p99 is 101.0 ms; the goal is 100',
    ]);
  });
});
