import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { CircuitBreakers } from './circuit-breakers.ts';

describe('the circuit breaker of a member', () => {
  it('opens for a while after a failure, twice as long each time, half a minute at most (H6)', () => {
    const runtime = manualRuntime();
    const breakers = new CircuitBreakers(runtime.clock);
    const times: number[] = [];
    for (let time = 0; time < 8; time += 1) {
      const sinceMs = runtime.clock.nowMs();
      expect(breakers.open('two')).toBe(true);
      expect(breakers.open('two')).toBe(false);
      while (breakers.isOpen('two')) runtime.stall(100);
      times.push(runtime.clock.nowMs() - sinceMs);
    }
    expect(times).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(breakers.isOpen('one')).toBe(false);
  });

  it('begins again after a minute without a failure', () => {
    const runtime = manualRuntime();
    const breakers = new CircuitBreakers(runtime.clock);
    breakers.open('two');
    runtime.stall(500 + 60_000);
    breakers.open('two');
    runtime.stall(499);
    expect(breakers.isOpen('two')).toBe(true);
    runtime.stall(1);
    expect(breakers.isOpen('two')).toBe(false);
  });
});
