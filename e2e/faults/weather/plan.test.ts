import { describe, expect, test } from 'vitest';
import { LOCK_TTL_MS } from '../cluster/cluster.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { FAULT_KINDS, type PlannedFault, targetName } from './fault.ts';
import { planFaults, type Weather } from './plan.ts';

const STORM: Weather = { kinds: FAULT_KINDS, gapMs: [50, 200], atOnce: 4 };
const DURATION_MS = 60_000;
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

const plan = (seed: number, weather = STORM): PlannedFault[] =>
  planFaults(weather, DURATION_MS, new SeededRandom(seed));

const isActive = (fault: PlannedFault, atMs: number): boolean =>
  fault.atMs <= atMs && atMs < fault.atMs + fault.forMs;

describe('a schedule of faults', () => {
  test('is determined by its seed', () => {
    expect(plan(7)).toEqual(plan(7));
    expect(plan(7)).not.toEqual(plan(8));
  });

  test('has every kind of fault, and ends with the run', () => {
    const faults = SEEDS.flatMap((seed) => plan(seed));
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
    for (const { atMs, forMs } of faults) expect(atMs + forMs).toBeLessThanOrEqual(DURATION_MS);
  });

  test('has no more faults at once than allowed, and one for each target', () => {
    for (const seed of SEEDS) {
      const faults = plan(seed);
      for (const { atMs } of faults) {
        const active = faults.filter((fault) => isActive(fault, atMs));
        expect(active.length).toBeLessThanOrEqual(STORM.atOnce);
        const names = active.map(({ target }) => targetName(target));
        expect(new Set(names).size).toBe(names.length);
      }
    }
  });

  test('pauses coordinators for longer than a lock lives', () => {
    const pauses = SEEDS.flatMap((seed) => plan(seed)).filter(
      ({ kind, atMs, forMs }) => kind === 'coordinator-pause' && atMs + forMs < DURATION_MS,
    );
    expect(pauses.length).toBeGreaterThan(20);
    for (const { forMs } of pauses) expect(forMs).toBeGreaterThan(LOCK_TTL_MS);
  });

  test('uses only the links that it is given', () => {
    const faults = plan(1, {
      kinds: ['link-slow'],
      throughout: ['lock-expire'],
      servers: ['database'],
      coordinators: [2],
      directions: ['up'],
      gapMs: [100, 200],
      atOnce: 1,
    });
    expect(faults[0]).toMatchObject({ kind: 'lock-expire', atMs: 0, forMs: DURATION_MS });
    const names = new Set(faults.slice(1).map(({ target }) => targetName(target)));
    expect([...names]).toEqual(['coordinator 3 -> database']);
  });
});
