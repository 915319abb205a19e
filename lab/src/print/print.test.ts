import { describe, expect, it } from 'vitest';
import { exploreStrategy, tracesOf } from '../explore-strategy.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { forJson } from './json.ts';
import { wrapped } from './lines.ts';
import { measuredTables } from './measured-table.ts';
import { sequenceDiagram } from './sequence-diagram.ts';
import { heading, rowOf } from './table.ts';

const reports = STRATEGIES.slice(0, 10).map(({ name }) => exploreStrategy(name));

describe('a sequence diagram', () => {
  it('has a lifeline for each participant and an arrow for each step', () => {
    const [, slowReader] = exploreStrategy('database-then-delete').traces.staleForGood;
    if (slowReader === undefined) throw new Error('a slow reader');
    expect(`\n${sequenceDiagram(slowReader)}`).toBe(`
     Writer A  Reader 1   Cache    Database
        │         │         │         │
  1     │         ├────────▶│         │  GET → miss
  2     │         ├─────────┼────────▶│  SELECT → old
  3     ├─────────┼─────────┼────────▶│  UPDATE to A
  4     ├─────────┼────────▶│         │  DEL → acknowledged
  5     │         ├────────▶│         │  SET what it read → answers old
        │         │         │         │

Nothing more will happen: the cache holds old, the database A.`);
  });

  it('marks a fault, and ends the lifeline of a process that crashes', () => {
    const [crash] = exploreStrategy('queued-delete').traces.staleForGood;
    if (crash === undefined) throw new Error('a crash');
    expect(`\n${sequenceDiagram(crash)}`).toContain(`
  1     ├────────▶│  UPDATE to A
  2     ●         │  ✗ crashes
                  │
`);
  });

  it('is never wider than 100 columns', () => {
    const lines = reports.flatMap(tracesOf).flatMap((trace) => sequenceDiagram(trace).split('\n'));
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });
});

describe('the table', () => {
  it('is at most 100 columns wide', () => {
    const lines = [heading(), ...reports.map(rowOf)].join('\n').split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });

  it('does not say “no” if not everything was explored', () => {
    expect(rowOf(exploreStrategy('strict', { maxStates: 100 }))).toMatch(/\d\+ +unknown/);
  });

  it('says which weakness was not found within the bounds', () => {
    const alone = exploreStrategy('database-then-cache', { writers: 1, readers: 0 });
    expect(rowOf(alone)).toContain('(not within these bounds: two writers');
  });
});

describe('the tables of what was measured', () => {
  const row = {
    contender: 'cache-aside',
    strategy: 'database-then-delete',
    faults: false,
    requests: 30_000,
    reads: 27_000,
    writeMs: { p50: 2.14, p99: 31.2 },
    databaseReads: 5_400,
    staleReads: 27,
    staleAgeMs: { p50: 1.2, p99: 14.6, max: 20 },
    staleForGood: 1,
    lostUpdates: 0,
  };
  const text = measuredTables(
    {
      date: '2026-01-02T03:04:05.000Z',
      command: 'npm run bench:staleness -- --save',
      note: 'Nothing else ran.',
      machine: { cpu: 'a processor', cores: 2, memoryGb: 8, os: 'Linux', node: 'v20' },
      servers: { database: 'PostgreSQL 18.0', cache: 'Redis 7.0' },
      requests: 30_000,
      seed: 1,
      failures: [],
      rows: [row, { ...row, faults: true, staleReads: 0, staleAgeMs: null }],
    },
    STRATEGIES,
  );

  it('are at most 100 columns wide and say where the figures come from', () => {
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
    expect(text).toContain('Measured 2026-01-02 by npm run bench:staleness -- --save');
  });

  it('have a line for each strategy, and say if nothing was measured', () => {
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith('update database, then delete'));
    expect(lines.map((line) => line.replace(/ {2,}/g, '|'))).toEqual([
      'update database, then delete cache|2.1 / 31|20.0%|1,000|1.2 / 15',
      'update database, then delete cache|2.1 / 31|20.0%|0 (≤ 112)',
    ]);
    expect(text.match(/n\/a: not measured/g)).toHaveLength(2 * (STRATEGIES.length - 1));
  });
});

describe('the JSON', () => {
  it('answers each question, with traces if the answer is yes', () => {
    expect(forJson(exploreStrategy('distributed-lock'))).toMatchObject({
      name: 'distributed-lock',
      complete: true,
      staleForGood: true,
      staleForAWhile: true,
      lostWrite: true,
      neverWas: false,
      weaknesses: [{ words: 'a paused holder', found: true }, { found: true }],
      traces: { lostWrite: [{ faults: ['the lock expires'], steps: { length: 8 } }] },
    });
  });

  it('has no trace if the answer is no', () => {
    const report = exploreStrategy('distributed-lock', { faults: 0 });
    expect(forJson(report)).toMatchObject({ staleForGood: false, lostWrite: false, traces: {} });
    expect(Object.keys(forJson(report).traces)).toEqual([]);
  });
});

describe('wrapping', () => {
  it('breaks only between words', () => {
    expect(wrapped('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrapped('unbreakable', 4)).toEqual(['unbreakable']);
  });
});
