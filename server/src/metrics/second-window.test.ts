import { describe, expect, it } from 'vitest';
import { makeKey } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { SecondWindow } from './second-window.ts';
import { read, write } from './testing/events.ts';

const key = makeKey(resource(), ['1']);
const uncached = makeKey(resource({ name: 'order', policy: 'none' }), ['1']);

describe('SecondWindow', () => {
  it('divides by the time that really passed', async () => {
    const runtime = manualRuntime();
    const window = new SecondWindow(runtime.clock);
    for (let index = 0; index < 30; index++) window.emit(write(key));
    await runtime.advance(1_500);
    expect(window.close().writesPerSecond).toBe(20);
  });

  it('begins each second anew', async () => {
    const runtime = manualRuntime();
    const window = new SecondWindow(runtime.clock);
    window.emit(write(key));
    window.emit(read(key));
    await runtime.advance(1_000);
    window.close();
    await runtime.advance(1_000);
    expect(window.close()).toEqual({
      writesPerSecond: 0,
      readsPerSecond: 0,
      errorsPerSecond: 0,
      lookupsPerSecond: 0,
      hitRate: null,
      writeP50Ms: null,
      writeP99Ms: null,
      readP50Ms: null,
      readP99Ms: null,
      lockWaitP99Ms: null,
    });
  });

  it('leaves resources that are never cached out of the hit rate', async () => {
    const runtime = manualRuntime();
    const window = new SecondWindow(runtime.clock);
    window.emit(read(key));
    window.emit(read(key, { source: 'primary' }));
    window.emit(read(uncached, { source: 'primary' }));
    await runtime.advance(1_000);
    expect(window.close()).toMatchObject({ readsPerSecond: 3, lookupsPerSecond: 2, hitRate: 0.5 });
  });

  it('counts as errors what the caller is not to blame for', async () => {
    const runtime = manualRuntime();
    const window = new SecondWindow(runtime.clock);
    window.emit(write(key, { outcome: 'not_applied', code: 'VERSION_MISMATCH' }));
    window.emit(write(key, { outcome: 'not_applied', code: 'LOCK_TIMEOUT' }));
    window.emit(write(key, { outcome: 'not_applied', code: 'QUEUE_FULL' }));
    window.emit(read(key, { source: null, code: 'DATABASE_UNAVAILABLE' }));
    window.emit(read(key, { source: 'primary', code: 'NOT_FOUND' }));
    await runtime.advance(1_000);
    const second = window.close();
    expect(second).toMatchObject({ errorsPerSecond: 3, writesPerSecond: 0, readsPerSecond: 1 });
  });

  it('keeps totals since start by policy and outcome', () => {
    const window = new SecondWindow(manualRuntime().clock);
    window.emit(write(key));
    window.emit(write(key));
    window.emit(write(uncached));
    window.emit(write(key, { outcome: 'not_applied', code: 'FENCED' }));
    window.emit(write(key, { outcome: 'unknown', code: 'OUTCOME_UNKNOWN' }));
    window.emit({ type: 'write-fenced', key, fence: 1, storedFence: 2 });
    window.emit({ type: 'intent-recovered', key, by: 'sweeper', version: 1 });
    window.emit({ type: 'lock-lost', key, how: 'lost', heldMs: 1 });
    window.emit({ type: 'fill', key, result: 'refused' });
    window.close();
    const totals = window.totals();
    expect(totals).toMatchObject({ fencedWrites: 1, intentsRecovered: 1, locksLost: 1 });
    expect(totals.fillsRefused).toBe(1);
    expect(totals.writes).toEqual([
      { policy: 'strict', outcome: 'applied', count: 2 },
      { policy: 'strict', outcome: 'FENCED', count: 1 },
      { policy: 'strict', outcome: 'unknown', count: 1 },
      { policy: 'none', outcome: 'applied', count: 1 },
    ]);
  });
});
