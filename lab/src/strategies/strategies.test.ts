import { beforeAll, describe, expect, it } from 'vitest';
import { answersOf, exploreStrategy, type Report } from '../explore-strategy.ts';
import type { Property } from '../model/process.ts';
import { STRATEGIES } from './index.ts';
import { VARIANTS } from './variants.ts';

const reports = new Map<string, Report>();

beforeAll(() => {
  for (const { name } of [...STRATEGIES, ...VARIANTS]) reports.set(name, exploreStrategy(name));
});

function reportOf(name: string): Report {
  const report = reports.get(name);
  if (report === undefined) throw new Error(`no report of ${name}`);
  return report;
}

const broken = (report: Report): Property[] =>
  Object.entries(answersOf(report)).flatMap(([property, isBroken]) =>
    isBroken ? [property as Property] : [],
  );

describe('what is broken in a strategy', () => {
  it.each<[string, Property[]]>([
    ['database-then-cache', ['staleForGood', 'staleForAWhile']],
    ['cache-then-database', ['staleForGood', 'staleForAWhile', 'neverWas']],
    ['delete-then-database', ['staleForGood', 'staleForAWhile']],
    ['database-then-delete', ['staleForGood', 'staleForAWhile']],
    ['delayed-double-delete', ['staleForGood', 'staleForAWhile']],
    ['queued-delete', ['staleForGood', 'staleForAWhile']],
    ['change-log', ['staleForGood', 'staleForAWhile']],
    ['change-log-and-replica', ['staleForGood', 'staleForAWhile']],
    ['routing-by-key', ['staleForGood', 'staleForAWhile', 'lostWrite']],
    ['distributed-lock', ['staleForGood', 'staleForAWhile', 'lostWrite']],
    ['delete-after-write', ['staleForAWhile']],
    ['strict', []],
  ])('is found by exploring %s', (name, properties) => {
    const report = reportOf(name);
    expect(report.isComplete).toBe(true);
    expect(broken(report)).toEqual(properties);
  });

  it('includes every weakness that is documented for it, with exactly the faults that it needs', () => {
    const missing = [...reports.values()].flatMap(({ name, weaknesses }) =>
      weaknesses.filter(({ isFound }) => !isFound).map(({ words }) => `${name}: ${words}`),
    );
    expect(missing).toEqual([]);
  });

  it('is documented for each strategy that has a weakness', () => {
    const untold = STRATEGIES.filter(
      ({ name, weaknesses }) => broken(reportOf(name)).length > 0 && weaknesses.length === 0,
    );
    expect(untold).toEqual([]);
  });
});

describe('each part of strict and delete-after-write is needed', () => {
  it.each<[string, Property[]]>([
    ['strict-without-fence', ['staleForGood', 'staleForAWhile']],
    ['strict-without-intent', ['staleForGood', 'staleForAWhile']],
    ['strict-without-lease', ['staleForGood']],
    ['strict-with-blind-publish', ['staleForGood', 'staleForAWhile']],
    ['strict-clearing-without-fence', ['staleForGood']],
    ['strict-with-expiring-intent', ['staleForGood']],
    ['strict-with-nameless-intent', ['staleForGood', 'staleForAWhile']],
    ['delete-after-write-without-leases', ['staleForGood', 'staleForAWhile']],
    ['delete-after-write-without-outbox', ['staleForGood', 'staleForAWhile']],
  ])('%s is broken', (name, properties) => {
    expect(broken(reportOf(name))).toEqual(properties);
  });

  it.each(['strict-verified', 'strict-with-steady-clock'])('%s holds', (name) => {
    expect(broken(reportOf(name))).toEqual([]);
    expect(reportOf(name).isComplete).toBe(true);
  });
});

describe('a strategy whose weakness needs a fault', () => {
  it.each(['routing-by-key', 'distributed-lock'])('%s holds if none happens', (name) => {
    expect(broken(exploreStrategy(name, { faults: 0 }))).toEqual([]);
  });

  it('shows no uncommitted value if the database refuses nothing', () => {
    expect(broken(exploreStrategy('cache-then-database', { faults: 0 }))).not.toContain('neverWas');
  });
});

describe('a strategy with one writer and no reader', () => {
  it.each(STRATEGIES.map(({ name }) => name))('%s holds without faults', (name) => {
    const report = exploreStrategy(name, { writers: 1, readers: 0, faults: 0 });
    expect(broken(report)).toEqual([]);
  });
});

describe('the shortest trace', () => {
  it.each<[string, Property, number]>([
    ['database-then-cache', 'staleForGood', 4],
    ['cache-then-database', 'neverWas', 3],
    ['delete-then-database', 'staleForGood', 5],
    ['database-then-delete', 'staleForGood', 2],
    ['change-log-and-replica', 'staleForGood', 6],
    ['routing-by-key', 'lostWrite', 8],
    ['distributed-lock', 'lostWrite', 8],
  ])('of %s to %s has as few steps as there can be', (name, property, steps) => {
    expect(reportOf(name).traces[property][0]?.steps).toHaveLength(steps);
  });

  it('interleaves the steps of two writers that update the database and then the cache', () => {
    const [trace] = reportOf('database-then-cache').traces.staleForGood;
    expect(trace?.steps.map(({ from, label }) => `${from}: ${label}`)).toEqual([
      'Writer A: UPDATE to A',
      'Writer B: UPDATE to B',
      'Writer B: SET B',
      'Writer A: SET A',
    ]);
    expect(trace?.ending).toBe('Nothing more will happen: the cache holds A, the database B.');
  });

  it('names the faults among its steps', () => {
    const faults = reportOf('database-then-delete').traces.staleForGood.map(
      (trace) => trace.faults,
    );
    expect(faults).toEqual([['a delete fails'], []]);
  });
});
