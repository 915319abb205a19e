import { describe, expect, it } from 'vitest';
import { consistencyWindows, driftAtMost } from './consistency.ts';

describe('the bound on drift', () => {
  it('is 3/n when n samples show none', () => {
    expect(driftAtMost(1_000, 0)).toBeCloseTo(0.003);
    expect(driftAtMost(1, 0)).toBe(1);
  });

  it('says nothing where nothing was sampled', () => {
    expect(driftAtMost(0, 0)).toBeNull();
  });

  it("is Wilson's upper bound when some have drifted", () => {
    // 10 of 100 at a one-sided 95%: Wilson's interval for z = 1.645 ends at 0.1604.
    expect(driftAtMost(100, 10)).toBeCloseTo(0.1604, 3);
    expect(driftAtMost(1, 1)).toBeCloseTo(1);
    expect(driftAtMost(1_000, 1)).toBeGreaterThan(0.001);
  });

  it('shrinks with more samples and grows with more drift', () => {
    expect(driftAtMost(10_000, 10)).toBeLessThan(driftAtMost(1_000, 1) ?? 0);
    expect(driftAtMost(1_000, 2)).toBeGreaterThan(driftAtMost(1_000, 1) ?? 1);
  });
});

describe('consistency windows', () => {
  it('add up the runs that ended within 1, 5 and 60 minutes', () => {
    const windows = consistencyWindows([
      { agoMs: 10_000, sampled: 500, drift: 0 },
      { agoMs: 120_000, sampled: 500, drift: 5 },
      { agoMs: 1_800_000, sampled: 1_000, drift: 5 },
      { agoMs: 3_700_000, sampled: 1_000, drift: 1_000 },
    ]);
    expect(windows).toMatchObject([
      { windowMs: 60_000, samples: 500, drift: 0, share: 1, driftAtMost: 0.006 },
      { windowMs: 300_000, samples: 1_000, drift: 5, share: 0.995 },
      { windowMs: 3_600_000, samples: 2_000, drift: 10, share: 0.995 },
    ]);
  });

  it('have no share where nothing was sampled', () => {
    expect(consistencyWindows([])[0]).toMatchObject({ samples: 0, share: null, driftAtMost: null });
  });
});
