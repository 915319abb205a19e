import { describe, expect, it } from 'vitest';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { Zipf } from './zipf.ts';

describe('Zipf', () => {
  it('picks each rank as often as its law says', () => {
    const zipf = new Zipf(100, 1);
    const random = new SeededRandom(7);
    const counts = new Array<number>(100).fill(0);
    const draws = 200_000;
    for (let draw = 0; draw < draws; draw++) {
      const rank = zipf.pick(random.next());
      counts[rank] = (counts[rank] ?? 0) + 1;
    }
    const sum = counts.reduce((total, _, rank) => total + 1 / (rank + 1), 0);
    for (const rank of [0, 1, 4, 9, 49]) {
      const expected = draws / (rank + 1) / sum;
      expect(Math.abs((counts[rank] ?? 0) - expected) / expected).toBeLessThan(0.1);
    }
  });

  it('stays within its ranks at both ends', () => {
    const zipf = new Zipf(3, 0.9);
    expect(zipf.pick(0)).toBe(0);
    expect(zipf.pick(1 - Number.EPSILON)).toBe(2);
    expect(new Zipf(1, 2).pick(0.99)).toBe(0);
  });

  it('needs at least one rank', () => {
    expect(() => new Zipf(0, 1)).toThrow(RangeError);
  });
});
