import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { OpenPace } from './open-pace.ts';

describe('what is open to everyone', () => {
  it('is answered at once to an address that asks now and then', async () => {
    const runtime = manualRuntime();
    const pace = new OpenPace(runtime.clock);
    for (let count = 0; count < 500; count += 1) {
      expect(pace.next('a')).toBe(0);
      await runtime.advance(20);
    }
  });

  it('waits where an address asks more, and is refused where it does not stop', () => {
    const { clock } = manualRuntime();
    const pace = new OpenPace(clock);
    const waits = Array.from({ length: 1_000 }, () => pace.next('a'));
    expect(waits.slice(0, 100)).toEqual(Array<number>(100).fill(0));
    expect(waits[150]).toBeGreaterThan(900);
    expect(waits.at(-1)).toBeNull();
    expect(waits.filter((waitMs) => waitMs !== null)).toHaveLength(201);
    expect(pace.next('b')).toBe(0);
  });

  it('keeps a bounded number of addresses in mind', async () => {
    const runtime = manualRuntime();
    const pace = new OpenPace(runtime.clock);
    for (let count = 0; count < 20_000; count += 1) pace.next(`address ${count}`);
    expect(pace.next('one more')).toBeNull();
    await runtime.advance(60_000);
    expect(pace.next('one more')).toBe(0);
  });
});
