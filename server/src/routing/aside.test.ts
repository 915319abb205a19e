import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Aside } from './aside.ts';

describe('a member that is put aside', () => {
  it('is left alone for a while, twice as long each time, half a minute at most (H6)', () => {
    const runtime = manualRuntime();
    const aside = new Aside(runtime.clock);
    const times: number[] = [];
    for (let time = 0; time < 8; time += 1) {
      const sinceMs = runtime.clock.nowMs();
      expect(aside.put('two')).toBe(true);
      expect(aside.put('two')).toBe(false);
      while (aside.has('two')) runtime.stall(100);
      times.push(runtime.clock.nowMs() - sinceMs);
    }
    expect(times).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(aside.has('one')).toBe(false);
  });

  it('has a fresh start after a minute without a new reason', () => {
    const runtime = manualRuntime();
    const aside = new Aside(runtime.clock);
    aside.put('two');
    runtime.stall(500 + 60_000);
    aside.put('two');
    runtime.stall(499);
    expect(aside.has('two')).toBe(true);
    runtime.stall(1);
    expect(aside.has('two')).toBe(false);
  });
});
