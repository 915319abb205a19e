import { describe, expect, it } from 'vitest';
import { exploreStrategy, tracesOf } from '../explore-strategy.ts';
import type { Trace } from '../explore/explore.ts';
import { STRATEGIES } from '../strategies/index.ts';
import { VARIANTS } from '../strategies/variants.ts';
import { narrate } from './narration.ts';

function traceOf(strategy: string, pick: (traces: Trace[]) => Trace | undefined): Trace {
  const trace = pick(tracesOf(exploreStrategy(strategy)));
  if (trace === undefined) throw new Error(`no such trace of ${strategy}`);
  return trace;
}

const slowReader = traceOf('database-then-delete', (traces) =>
  traces.find(({ property, faults }) => property === 'staleForGood' && faults.length === 0),
);

describe('a trace', () => {
  it('has a scene before its first step and after each step', () => {
    for (const name of ['cache-then-database', 'queued-delete', 'routing-by-key']) {
      for (const { steps, scenes } of tracesOf(exploreStrategy(name)))
        expect(scenes).toHaveLength(steps.length + 1);
    }
  });

  it('shows in its last scene what its ending says', () => {
    expect(slowReader.ending).toBe(
      'Nothing more will happen: the cache holds old, the database A.',
    );
    expect(slowReader.scenes.at(-1)).toMatchObject({
      database: { value: 'A', version: 1 },
      cache: { state: 'value', value: 'old' },
      acknowledged: 'A',
      read: { value: 'old', from: 'Cache', freshness: 'old' },
    });
  });

  it('shows only the servers that the strategy has', () => {
    expect(slowReader.scenes[0]).toMatchObject({ replica: null, queue: null, lock: null });
    const queued = traceOf('queued-delete', ([first]) => first);
    expect(queued.scenes[0]).toMatchObject({ queue: '', outbox: null });
    const withReplica = traceOf('change-log-and-replica', ([first]) => first);
    expect(withReplica.scenes[0]).toMatchObject({ replica: 'old', lock: null });
  });

  it('ends with “old for good” only if the cache answers what the database does not hold', () => {
    for (const { name } of [...STRATEGIES.slice(0, 10), ...VARIANTS.slice(0, 4)]) {
      for (const { scenes } of exploreStrategy(name).traces.staleForGood) {
        const last = scenes.at(-1);
        expect(last?.read.from).toBe('Cache');
        expect(last?.read.value).not.toBe(last?.database.value);
      }
    }
  });
});

describe('the words of a moment', () => {
  it('say where it starts, what each step does, and what a reader would see', () => {
    const told = slowReader.scenes.map((_, at) => narrate(slowReader, at));
    expect(told.map(({ step }) => step)).toEqual([
      'Before the first step. The database holds old. The cache is empty.',
      'Reader 1 to Cache: GET → miss.',
      'Reader 1 to Database: SELECT → old.',
      'Writer A to Database: UPDATE to A.',
      'Writer A to Cache: DEL → acknowledged.',
      'Reader 1 to Cache: SET what it read → answers old.',
    ]);
    expect(told[3]?.changes).toEqual(['The database holds A now, its version 1.']);
    expect(told[4]?.changes).toEqual([
      'Writer A is told that its write is done: no read that begins now may be older.',
    ]);
    expect(told[5]).toMatchObject({
      changes: ['The cache holds old now.'],
      read: 'A reader who asks now is answered old from the cache, though something newer was acknowledged or read before: a stale read.',
    });
  });

  it('describe a crash, a fault and a reader that misses', () => {
    const crash = traceOf('queued-delete', ([first]) => first);
    expect(narrate(crash, crash.steps.length).step).toBe(
      'Writer A crashes here. It takes no further step, and nobody is told.',
    );
    const failing = traceOf('database-then-delete', ([first]) => first);
    expect(narrate(failing, 2).step).toContain('That is a fault: a delete fails.');
    expect(narrate(slowReader, 0).read).toBe(
      'A reader who asks now is answered old from the database, on a miss, which is what the database holds.',
    );
  });

  it('exist for every moment of every trace', () => {
    const traces = VARIANTS.slice(0, 6).flatMap(({ name }) => tracesOf(exploreStrategy(name)));
    for (const trace of traces) {
      for (const at of trace.scenes.keys()) expect(narrate(trace, at).step).not.toBe('');
      expect(() => narrate(trace, trace.scenes.length)).toThrow(RangeError);
    }
  });
});

describe('an exploration', () => {
  it('reports its progress', () => {
    const told: number[] = [];
    const { states } = exploreStrategy('delete-after-write-without-leases', {}, (progress) => {
      told.push(progress.explored);
      expect(progress.states).toBeGreaterThanOrEqual(progress.explored);
    });
    expect(told[0]).toBe(0);
    expect(told.at(-1)).toBeLessThan(states);
    expect(told.length).toBeGreaterThan(1);
  });
});
