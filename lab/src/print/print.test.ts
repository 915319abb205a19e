import { describe, expect, it } from 'vitest';
import { exploreStrategy, tracesOf } from '../explore-strategy.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { forJson } from './json.ts';
import { wrapped } from './lines.ts';
import { sequenceDiagram } from './sequence-diagram.ts';
import { heading, rowOf } from './table.ts';

const reports = STRATEGIES.slice(0, 10).map(({ name }) => exploreStrategy(name));

describe('a sequence diagram', () => {
  it('has a lane for each who takes part and an arrow for each step', () => {
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

  it('marks a fault, and ends the lane of one who crashes', () => {
    const [crash] = exploreStrategy('queued-delete').traces.staleForGood;
    if (crash === undefined) throw new Error('a crash');
    expect(`\n${sequenceDiagram(crash)}`).toContain(`
  1     ├────────▶│  UPDATE to A
  2     ●         │  ✗ crashes
                  │
`);
  });

  it('is at most 100 columns wide, whatever it shows', () => {
    const lines = reports.flatMap(tracesOf).flatMap((trace) => sequenceDiagram(trace).split('\n'));
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });
});

describe('the table', () => {
  it('is at most 100 columns wide', () => {
    const lines = [heading(), ...reports.map(rowOf)].join('\n').split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });

  it('does not say no where not all was explored', () => {
    expect(rowOf(exploreStrategy('strict', { maxStates: 100 }))).toMatch(/\d\+ +unknown/);
  });

  it('says which weakness does not show within the bounds', () => {
    const alone = exploreStrategy('database-then-cache', { writers: 1, readers: 0 });
    expect(rowOf(alone)).toContain('(not within these bounds: two writers');
  });
});

describe('the JSON', () => {
  it('answers each question, with traces where the answer is yes', () => {
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

  it('has no trace where the answer is no', () => {
    const report = exploreStrategy('distributed-lock', { faults: 0 });
    expect(forJson(report)).toMatchObject({ staleForGood: false, lostWrite: false, traces: {} });
    expect(Object.keys(forJson(report).traces)).toEqual([]);
  });
});

describe('wrapping', () => {
  it('breaks between words alone', () => {
    expect(wrapped('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrapped('unbreakable', 4)).toEqual(['unbreakable']);
  });
});
