import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogHistogram } from './log-histogram.ts';

describe('LogHistogram', () => {
  it('has no quantile without values', () => {
    expect(new LogHistogram().quantile(0.5)).toBeNull();
  });

  it('is off by at most 2.2 % anywhere in its range', () => {
    const value = fc.double({ min: 0.002, max: 600_000, noNaN: true });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), share, (values, quantile) => {
        const histogram = new LogHistogram();
        for (const one of values) histogram.record(one);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(quantile * values.length)) - 1] ?? 0;
        const answer = histogram.quantile(quantile) ?? 0;
        expect(Math.abs(answer - exact) / exact).toBeLessThan(0.0225);
      }),
    );
  });

  it('takes zero, negative and endless values without losing count', () => {
    const histogram = new LogHistogram();
    for (const value of [0, -1, Number.NaN, 1e-9]) histogram.record(value);
    expect(histogram.quantile(1)).toBeLessThan(0.002);
    histogram.record(Infinity);
    expect(histogram.quantile(1)).toBeGreaterThan(600_000);
    expect(histogram.count).toBe(5);
  });

  it('forgets everything on reset', () => {
    const histogram = new LogHistogram();
    histogram.record(3);
    histogram.reset();
    histogram.record(100);
    expect(histogram.count).toBe(1);
    expect(histogram.quantile(0)).toBeCloseTo(100, -1);
  });
});
