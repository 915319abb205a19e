import { exploreStrategy, type Measured } from '@lockstep/lab';
import { describe, expect, it } from 'vitest';
import {
  ageText,
  answerText,
  boundsText,
  databaseReadsText,
  quantilesText,
  staleText,
  traceTitle,
} from './lab-text.ts';

const ROW: Measured = {
  contender: 'cache-aside',
  strategy: 'database-then-delete',
  faults: false,
  requests: 30_000,
  reads: 27_000,
  writeMs: { p50: 0.843, p99: 12.44 },
  databaseReads: 5_400,
  staleReads: 27,
  staleAgeMs: { p50: 1.24, p99: 212.4, max: 480 },
  staleForGood: 0,
  lostUpdates: 0,
};

describe('figures', () => {
  it('have as many digits as tell something', () => {
    expect(quantilesText(ROW.writeMs)).toBe('0.84 / 12 ms');
    expect(ageText(ROW)).toBe('1.2 / 212 ms');
    expect(ageText({ ...ROW, staleAgeMs: null })).toBe('–');
    expect(databaseReadsText(ROW)).toBe('20%');
  });

  it('say what none in so many reads is worth', () => {
    expect(staleText(ROW)).toBe('1,000');
    expect(staleText({ ...ROW, staleReads: 0 })).toBe('0 (≤ 112)');
    expect(staleText({ ...ROW, staleReads: 0, reads: 0 })).toBe('–');
  });
});

describe('answers', () => {
  const report = exploreStrategy('database-then-delete');

  it('tell the steps of the shortest trace', () => {
    expect(answerText(report, 'staleForGood')).toBe('yes, 2');
    expect(answerText(report, 'lostWrite')).toBe('no');
    expect(answerText({ ...report, isComplete: false }, 'lostWrite')).toBe('unknown');
  });

  it('name a trace by what it shows and what it takes', () => {
    expect(report.traces.staleForGood.map(traceTitle)).toEqual([
      'Old for good, where a delete fails: 2 steps',
      'Old for good, without any fault: 5 steps',
    ]);
  });

  it('hold within bounds', () => {
    expect(boundsText(report.bounds)).toBe('2 writers, 2 readers, each kind of fault at most once');
    expect(boundsText({ ...report.bounds, recoveries: 1, faults: 2 })).toBe(
      '2 writers, 2 readers, 1 recovery, each kind of fault at most 2 times',
    );
  });
});
