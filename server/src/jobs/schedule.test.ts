import { describe, expect, it } from 'vitest';
import { scheduleOf } from './schedule.ts';

const NOON = Date.UTC(2026, 0, 1, 12, 0, 0);

describe('an interval', () => {
  const schedule = scheduleOf({ everyMs: 60_000 });

  it('runs soon after a start, spread over some seconds, then every interval', () => {
    expect(schedule.firstInMs(NOON, 0)).toBe(500);
    expect(schedule.firstInMs(NOON, 0.999)).toBeLessThan(3_000);
    expect(schedule.nextInMs(NOON)).toBe(60_000);
  });

  it('lets no other instance run within it, but for the wobble of a timer', () => {
    expect(schedule.notSinceMs(NOON)).toBe(59_000);
    expect(scheduleOf({ everyMs: 100 }).notSinceMs(NOON)).toBe(90);
  });
});

describe('a cron expression', () => {
  const schedule = scheduleOf({ cron: '*/5 * * * *' });

  it('runs at its times, in UTC', () => {
    expect(schedule.firstInMs(NOON + 1_000, 0.5)).toBe(299_000);
    expect(schedule.nextInMs(NOON)).toBe(300_000);
    expect(scheduleOf({ cron: '0 13 * * *' }).nextInMs(NOON)).toBe(3_600_000);
  });

  it('lets no other instance run the same occurrence', () => {
    expect(schedule.notSinceMs(NOON)).toBe(30_000);
    expect(scheduleOf({ cron: '*/10 * * * * *' }).notSinceMs(NOON)).toBe(5_000);
  });

  it('ends where there is no time any more', () => {
    expect(scheduleOf({ cron: '0 0 30 2 *' }).nextInMs(NOON)).toBeNull();
  });
});
