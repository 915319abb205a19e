import { expect, test } from 'vitest';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { LOCK_TTL_MS } from '../contender.ts';
import { nextLinkFault, nextProcessFault } from './plan.ts';

const DRAWS = 500;

test('the same seed gives the same faults', () => {
  const draw = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: DRAWS }, () => [nextLinkFault(random), nextProcessFault(random)]);
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test('every kind of fault occurs, with pauses longer than a lock’s TTL', () => {
  const random = new SeededRandom(1);
  const links = Array.from({ length: DRAWS }, () => nextLinkFault(random));
  const processes = Array.from({ length: DRAWS }, () => nextProcessFault(random));
  const kinds = new Set([...links, ...processes].map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(['cut', 'killed', 'late', 'lost', 'paused', 'stalled']);
  expect(processes.some((fault) => fault.kind === 'paused' && fault.forMs > LOCK_TTL_MS)).toBe(
    true,
  );
});
