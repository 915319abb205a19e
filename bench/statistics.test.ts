import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jainIndex, median, quantileOf } from './statistics.ts';

describe('quantileOf', () => {
  test('takes the nearest rank', () => {
    const sorted = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(quantileOf(sorted, 0.5)).toBe(50);
    expect(quantileOf(sorted, 0.99)).toBe(99);
    expect(quantileOf(sorted, 1)).toBe(100);
    expect(quantileOf([7], 0.01)).toBe(7);
    expect(quantileOf([], 0.5)).toBeNaN();
  });
});

describe('median', () => {
  test('is the middle value, or the mean of the middle two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe('jainIndex', () => {
  test('is 1 for equal shares and 1/n if one has everything', () => {
    expect(jainIndex([5, 5, 5, 5])).toBe(1);
    expect(jainIndex([8, 0, 0, 0])).toBe(0.25);
  });

  test('lies between 1/n and 1 and does not depend on the unit', () => {
    const shares = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(shares, (values) => {
        fc.pre(values.some((value) => value > 0));
        const index = jainIndex(values);
        expect(index).toBeGreaterThanOrEqual(1 / values.length - 1e-9);
        expect(index).toBeLessThanOrEqual(1 + 1e-9);
        expect(jainIndex(values.map((value) => value * 1000))).toBeCloseTo(index, 9);
      }),
    );
  });
});
