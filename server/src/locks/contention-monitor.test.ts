import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { ContentionMonitor } from './contention-monitor.ts';
import { DurationBuckets } from './duration-buckets.ts';
import { accountKey } from '@lockstep/testkit/doubles/keys';

describe('contention', () => {
  it('reports the keys that callers waited for, most contended first', () => {
    const monitor = new ContentionMonitor(manualRuntime().clock);
    for (let count = 0; count < 100; count++) monitor.acquired(accountKey(1), 10, true);
    for (let count = 0; count < 20; count++) monitor.acquired(accountKey(2), 1, true);
    for (let count = 0; count < 999; count++) monitor.acquired(accountKey(3), 0, false);
    monitor.released(accountKey(1), 5);
    monitor.refused(accountKey(2), 'timedOut', 5_000);
    const { keys, totals } = monitor.report();
    expect(keys).toMatchObject([
      { resource: 'account', key: '1', count: 100, error: 0 },
      { resource: 'account', key: '2', count: 21, error: 0 },
    ]);
    expect(keys[0]?.waitP99Ms).toBeGreaterThan(9);
    expect(keys[0]?.waitP99Ms).toBeLessThan(11);
    expect(keys[0]?.holdP99Ms).toBeGreaterThan(4.5);
    expect(keys[0]?.holdP99Ms).toBeLessThan(5.5);
    expect(totals).toEqual({ acquired: 1119, contended: 120, timedOut: 1, lost: 0, queueFull: 0 });
  });

  it('forgets keys after some minutes, but not the totals', async () => {
    const runtime = manualRuntime();
    const monitor = new ContentionMonitor(runtime.clock);
    monitor.acquired(accountKey(1), 10, true);
    await runtime.advance(130_000);
    monitor.acquired(accountKey(1), 10, true);
    expect(monitor.report().keys).toMatchObject([{ count: 2 }]);
    await runtime.advance(130_000);
    expect(monitor.report().keys).toMatchObject([{ count: 1 }]);
    await runtime.advance(130_000);
    expect(monitor.report().keys).toEqual([]);
    await runtime.advance(1_000_000);
    expect(monitor.report().totals.contended).toBe(2);
  });

  it('stays bounded when every call is for a new key', () => {
    const monitor = new ContentionMonitor(manualRuntime().clock);
    for (let id = 0; id < 5_000; id++) monitor.acquired(accountKey(id), 1, true);
    expect(monitor.report().keys).toHaveLength(50);
  });
});

describe('duration buckets', () => {
  it('give a quantile within a tenth of the true one', () => {
    const durations = fc.array(fc.double({ min: 0.04, max: 100_000, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const [left, right] = [new DurationBuckets(), new DurationBuckets()];
        for (const [index, value] of values.entries()) (index % 2 ? left : right).record(value);
        const sorted = values.toSorted((a, b) => a - b);
        const truth = sorted[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0;
        const estimate = left.plus(right).quantile(share);
        expect(Math.abs(estimate - truth)).toBeLessThanOrEqual(truth * 0.1 + 0.001);
      }),
    );
  });

  it('give 0 where nothing was recorded', () => {
    expect(new DurationBuckets().quantile(0.99)).toBe(0);
  });
});
