import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasOrder } from '../testing/brute-force.ts';
import { explained, FLAVOURS, perhapsExplained } from '../testing/tiny-history.ts';
import { checkValues } from './checker.ts';

const RUNS = 1_000;
/** Fixed, so that a mutant is killed by the same histories each time. */
const SEED = 20_261_121;

/**
 * Configurations met over all histories of a test: those that hold, then the others. They change only with the search
 * and the generator; a way to cut the search short that no longer works shows here and nowhere else.
 */
const WORK: Record<string, [number, number]> = {
  'few numbers': [2129, 1192],
  'numbers that only grow': [2220, 1179],
  'numbers that only shrink': [2220, 1179],
  'numbers that grow and shrink': [2260, 1273],
  rows: [2168, 1208],
};

describe.each(FLAVOURS)('a register of $name', (flavour) => {
  test('is accepted if it was made from some order', () => {
    let work = 0;
    fc.assert(
      fc.property(explained(flavour), (history) => {
        const { verdict, visited } = checkValues(history);
        expect(verdict).toBe('holds');
        work += visited;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(work).toBe(WORK[flavour.name]?.[0]);
  });

  test('gets the same result as trying every order', () => {
    let violated = 0;
    let work = 0;
    fc.assert(
      fc.property(perhapsExplained(flavour), (history) => {
        const expected = hasOrder(history) ? 'holds' : 'violated';
        if (expected === 'violated') violated += 1;
        const { verdict, visited } = checkValues(history);
        expect(verdict).toBe(expected);
        work += visited;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(work).toBe(WORK[flavour.name]?.[1]);
    expect(violated).toBeGreaterThan(RUNS / 20);
  });
});
