import type { ConsistencyWindow } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { describeWindow, ninesOf, summarizeWindows } from './nines.ts';

const window = (samples: number, drift: number, driftAtMost: number | null): ConsistencyWindow => ({
  windowMs: 3_600_000,
  samples,
  drift,
  share: samples === 0 ? null : 1 - drift / samples,
  driftAtMost,
});

describe('consistency in words', () => {
  it('says nothing where nothing was sampled', () => {
    expect(describeWindow(window(0, 0, null))).toMatchObject({ state: 'none', share: '–' });
    expect(describeWindow(undefined).state).toBe('none');
  });
  it('shows the bound that no drift in the samples allows', () => {
    expect(describeWindow(window(1000, 0, 0.003))).toEqual({
      share: '100%',
      bound: 'at most 0.3%, 95%',
      shortBound: '≤ 0.3%',
      nines: '2.5 nines',
      state: 'ok',
    });
  });
  it('rounds a bound up, never down', () => {
    expect(describeWindow(window(700, 0, 3 / 700)).bound).toBe('at most 0.43%, 95%');
  });
  it('never calls a share with drift 100%', () => {
    const text = describeWindow(window(1_000_000, 1, 0.000006));
    expect(text).toMatchObject({ share: '99.999%', state: 'drift' });
  });
  it('counts nines', () => {
    expect(ninesOf(0.999)).toBeCloseTo(3);
    expect(ninesOf(1)).toBeNull();
  });
  it('sums up an hour over resources', () => {
    expect(summarizeWindows([window(0, 0, null)])).toContain('no audit');
    expect(summarizeWindows([window(600, 0, 0.005), window(400, 0, 0.0075)])).toBe(
      'no drift in 1,000 samples of the last hour',
    );
    expect(summarizeWindows([window(600, 1, 0.01)])).toBe(
      '1 drift in 600 samples of the last hour',
    );
  });
});
