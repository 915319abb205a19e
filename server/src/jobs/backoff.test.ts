import { describe, expect, it } from 'vitest';
import { Backoff, type BackoffOptions, backoffMs } from './backoff.ts';

const EQUAL: BackoffOptions = { minMs: 100, maxMs: 1_000, jitter: 'equal' };
const FULL: BackoffOptions = { ...EQUAL, jitter: 'full' };
const ALMOST_ONE = 1 - Number.EPSILON;

describe('a backoff', () => {
  it('doubles its bound with each failure, up to the maximum', () => {
    const bounds = [0, 1, 2, 3, 4, 5_000].map((failures) => backoffMs(FULL, failures, ALMOST_ONE));
    expect(bounds.map(Math.round)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it('waits for at least half of the bound with equal jitter, and for any part of it with full jitter', () => {
    expect(backoffMs(EQUAL, 2, 0)).toBe(200);
    expect(backoffMs(EQUAL, 2, ALMOST_ONE)).toBeCloseTo(400);
    expect(backoffMs(FULL, 2, 0)).toBe(0);
  });

  it('begins again after a success', () => {
    const backoff = new Backoff(EQUAL, { next: () => 0 });
    expect([backoff.nextMs(), backoff.nextMs(), backoff.failures]).toEqual([50, 100, 2]);
    backoff.reset();
    expect([backoff.failures, backoff.nextMs()]).toEqual([0, 50]);
  });
});
