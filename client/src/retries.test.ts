import { describe, expect, it } from 'vitest';
import { Retries } from './retries.ts';

describe('retries', () => {
  it('wait evenly drawn from a range that doubles, up to its bound', () => {
    const most = new Retries({ baseMs: 10, maxMs: 50, maxAttempts: 10 }, () => 1);
    expect([1, 2, 3, 4].map((attempts) => most.next(attempts))).toEqual([20, 40, 50, 50]);
    const least = new Retries({ baseMs: 10 }, () => 0);
    expect(least.next(1)).toBe(0);
  });

  it('wait as long as the coordinator asks for', () => {
    expect(new Retries({}, () => 0).next(1, 1_000)).toBe(1_000);
  });

  it('end with the attempts of one call', () => {
    const retries = new Retries({ maxAttempts: 3 });
    expect(retries.next(2)).not.toBeNull();
    expect(retries.next(3)).toBeNull();
  });

  it('are no more than a part of all calls', () => {
    const retries = new Retries({ budgetRatio: 0.1 });
    while (retries.next(1) !== null);
    for (let n = 0; n < 100; n++) retries.called();
    let allowed = 0;
    while (retries.next(1) !== null) allowed += 1;
    expect(allowed).toBeGreaterThanOrEqual(9);
    expect(allowed).toBeLessThanOrEqual(10);
  });
});
