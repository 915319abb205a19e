import { describe, expect, it } from 'vitest';
import { answersOf, exploreStrategy, LabError, tracesOf } from '../explore-strategy.ts';
import { caller, done, go, type Process, type Property } from '../model/process.ts';
import { type Bounds, type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { strictWith } from '../strategies/strict.ts';
import { explore, type Trace } from './explore.ts';
import { Machine, type Move, type State } from './machine.ts';

const SMALL: Bounds = { ...USUAL_BOUNDS, writers: 2, readers: 2, faults: 1, recoveries: 0 };

const strategyOf = (processes: Process[]): Strategy => ({
  name: 'made-up',
  title: 'made up',
  description: 'For a test.',
  bounds: SMALL,
  cache: 'empty',
  faults: [],
  processes: () => processes,
  weaknesses: [],
});

/** A process that counts to `steps` and ends. */
function counter(name: string, steps: number): Process {
  const named = Array.from({ length: steps }, (_, index) => {
    const next = index + 1 < steps ? go(`step ${index + 1}`) : done();
    return [`step ${index}`, { to: 'Cache', does: 'count', run: () => next }] as const;
  });
  return caller(name, Object.fromEntries(named));
}

describe('exploring', () => {
  it('reaches every state exactly once', () => {
    const processes = [counter('one', 2), counter('two', 3), counter('three', 1)];
    const { states, isComplete } = explore(strategyOf(processes), SMALL);
    expect({ states, isComplete }).toEqual({ states: 3 * 4 * 2, isComplete: true });
  });

  it('gives exactly the same report each time', () => {
    const once = exploreStrategy('database-then-delete');
    expect(exploreStrategy('database-then-delete')).toEqual(once);
  });

  it('finds the same whether or not identical readers are distinguished', () => {
    for (const strategy of [...STRATEGIES.slice(0, 10), strictWith({ lease: false })]) {
      const apart: Strategy = {
        ...strategy,
        processes: (bounds) => strategy.processes(bounds).map((it) => ({ ...it, group: '' })),
      };
      const [short, long] = [explore(strategy, SMALL), explore(apart, SMALL)];
      expect(short.states).toBeLessThan(long.states);
      expect(sizesOf(short.traces)).toEqual(sizesOf(long.traces));
    }
  });

  it('says so if it gives up', () => {
    const report = exploreStrategy('strict', { maxStates: 500 });
    expect(report.isComplete).toBe(false);
    expect(report.states).toBeGreaterThan(500);
    expect(report.states).toBeLessThan(600);
  });

  it('throws if a strategy gets stuck before its end', () => {
    const stuck = caller('one', {
      begin: { to: 'Cache', does: 'begin', run: () => go('wait') },
      wait: { to: 'Cache', does: 'wait', when: () => false, run: () => done() },
    });
    expect(() => explore(strategyOf([stuck]), SMALL)).toThrow(/stuck/);
  });

  it('throws if a step leads to an unknown one', () => {
    const lost = caller('one', { begin: { to: 'Cache', does: 'begin', run: () => go('away') } });
    expect(() => explore(strategyOf([lost]), SMALL)).toThrow('one: no step away');
  });
});

describe('a trace', () => {
  it.each(STRATEGIES.slice(0, 10).map(({ name }) => name))(
    'of %s replays on its machine',
    (name) => {
      const report = exploreStrategy(name);
      const strategy = STRATEGIES.find((it) => it.name === name);
      if (strategy === undefined) throw new Error('no such strategy');
      const machine = new Machine(strategy, report.bounds);
      for (const trace of tracesOf(report))
        expect(foundBy(machine, trace)).toContain(trace.property);
    },
  );

  it('has no shorter one for its property', () => {
    for (const { name, bounds, ...strategy } of STRATEGIES.slice(0, 4)) {
      const machine = new Machine({ ...strategy, name, bounds }, bounds);
      for (const [property, traces] of Object.entries(exploreStrategy(name).traces)) {
        const [shortest] = traces;
        if (shortest === undefined) continue;
        const before = statesWithin(machine, shortest.steps.length - 2);
        expect(before.some((state) => findings(machine, state).includes(property))).toBe(false);
      }
    }
  });
});

describe('a request', () => {
  it('for an unknown strategy lists the known ones', () => {
    expect(() => exploreStrategy('hope')).toThrow(LabError);
    expect(() => exploreStrategy('hope')).toThrow(/strict/);
  });

  it.each([{ writers: 5 }, { readers: -1 }, { faults: 0.5 }, { maxStates: 0 }, { writers: NaN }])(
    'with bounds out of range is refused: %o',
    (bounds) => {
      expect(() => exploreStrategy('strict', bounds)).toThrow(LabError);
    },
  );

  it('with more readers explores more', () => {
    const few = exploreStrategy('database-then-delete', { readers: 1 });
    const many = exploreStrategy('database-then-delete', { readers: 3 });
    expect(many.states).toBeGreaterThan(few.states);
    expect(answersOf(few).staleForGood).toBe(true);
  });
});

const sizesOf = (traces: readonly Trace[]): string[] =>
  traces
    .map(
      ({ property, faults, steps }) => `${property} ${[...faults].sort().join()} ${steps.length}`,
    )
    .sort();

/**
 * What is found broken at the end of a trace, if its moves are repeated from the start without the explorer's encoding.
 */
function foundBy(machine: Machine, { steps }: Trace): Property[] {
  let at: { state: State; found: Property[] }[] = machine.starts.map((state) => ({
    state,
    found: [],
  }));
  for (const step of steps) {
    if (step.label === 'crashes') continue;
    at = at.flatMap(({ state }) =>
      machine
        .next(state)
        .filter((next) => isSame(next.move(), step))
        .map(({ state: after, findings: found }) => ({
          state: after,
          found: found.map(({ property }) => property),
        })),
    );
  }
  return at.flatMap(({ state, found }) => [...found, ...findings(machine, state)]);
}

const isSame = (a: Move, b: Move): boolean => JSON.stringify(a) === JSON.stringify(b);

const findings = (machine: Machine, state: State): string[] & Property[] =>
  machine.inspect(state, machine.atRest(state) !== null).map(({ property }) => property);

/** Every state that can be reached in so many steps, found by plain search. */
function statesWithin(machine: Machine, steps: number): State[] {
  const seen = new Map<string, State>();
  let edge = [...machine.starts];
  for (let depth = 0; depth <= steps && edge.length > 0; depth += 1) {
    const fresh = edge.filter((state) => !seen.has(JSON.stringify(state)));
    for (const state of fresh) seen.set(JSON.stringify(state), state);
    edge = fresh.flatMap((state) => machine.next(state).map(({ state: after }) => after));
  }
  return [...seen.values()];
}
