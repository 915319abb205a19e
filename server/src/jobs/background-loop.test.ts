import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { BackgroundLoop, type BackgroundLoopOptions } from './background-loop.ts';

/** A loop whose passes begin at `begunAtMs` and take `passMs`. */
function set(rest: Partial<BackgroundLoopOptions> = {}) {
  const runtime = manualRuntime();
  const state = { passMs: 0, pauseMs: 100 as number | null, fails: false, inFlight: 0, most: 0 };
  const begunAtMs: number[] = [];
  const failuresBefore: number[] = [];
  const loop = new BackgroundLoop({
    pass: async () => {
      begunAtMs.push(runtime.clock.nowMs());
      state.inFlight += 1;
      state.most = Math.max(state.most, state.inFlight);
      await runtime.timers.sleep(state.passMs);
      state.inFlight -= 1;
      if (state.fails) throw new Error('failed');
      return state.pauseMs;
    },
    backoff: { minMs: 1_000, maxMs: 4_000, jitter: 'equal' },
    onFailure: (_, before) => failuresBefore.push(before),
    runtime,
    ...rest,
  });
  /** Lets the pass that runs come to its end. */
  const stop = async (): Promise<void> => {
    const stopped = loop.stop();
    await runtime.advance(state.passMs);
    await stopped;
  };
  return { runtime, state, begunAtMs, failuresBefore, loop, stop };
}

describe('a background loop', () => {
  it('passes at once, and again after each pause, counted from the end of the pass', async () => {
    const { runtime, state, begunAtMs, loop } = set();
    state.passMs = 50;
    loop.start();
    loop.start();
    await runtime.advance(400);
    expect(begunAtMs).toEqual([0, 150, 300]);
    expect(loop.nextPassAtMs).toBe(450);
    await loop.stop();
    expect(runtime.pendingTimers).toBe(0);
    expect(loop.nextPassAtMs).toBeNull();
  });

  it('makes a first pause where it is asked to', async () => {
    const { runtime, begunAtMs, loop } = set({ firstPauseMs: () => 70 });
    loop.start();
    await runtime.advance(200);
    expect(begunAtMs).toEqual([70, 170]);
    await loop.stop();
  });

  it('passes at once when it is woken, and right after the running pass when it is woken in one', async () => {
    const { runtime, state, begunAtMs, loop } = set();
    state.passMs = 20;
    loop.start();
    await runtime.advance(50);
    loop.wake();
    await runtime.advance(10);
    loop.wake();
    loop.wake();
    await runtime.advance(50);
    expect(begunAtMs).toEqual([0, 50, 70]);
    expect(state.most).toBe(1);
    await loop.stop();
  });

  it('makes its least pause even when it is woken again and again', async () => {
    const { runtime, begunAtMs, loop } = set({ leastPauseMs: 30 });
    loop.start();
    for (let ms = 0; ms < 80; ms += 1) {
      loop.wake();
      await runtime.advance(1);
    }
    expect(begunAtMs).toEqual([0, 30, 60]);
    await loop.stop();
  });

  it('goes on without a pause while a pass asks for none', async () => {
    const { runtime, state, begunAtMs, loop, stop } = set({ leastPauseMs: 30 });
    Object.assign(state, { pauseMs: 0, passMs: 1 });
    loop.start();
    await runtime.advance(10);
    expect(begunAtMs).toHaveLength(11);
    await stop();
  });

  it('backs off after passes that reject; a wake-up does not end that wait', async () => {
    const { runtime, state, begunAtMs, failuresBefore, loop } = set();
    state.fails = true;
    loop.start();
    for (let ms = 0; ms < 20_000; ms += 100) {
      loop.wake();
      await runtime.advance(100);
    }
    expect(failuresBefore.slice(0, 3)).toEqual([0, 1, 2]);
    const waits = begunAtMs.slice(1).map((atMs, index) => atMs - (begunAtMs[index] ?? 0));
    for (const [index, waitMs] of waits.entries()) {
      const boundMs = Math.min(4_000, 1_000 * 2 ** index);
      expect(waitMs).toBeGreaterThanOrEqual(boundMs / 2);
      expect(waitMs).toBeLessThanOrEqual(boundMs);
    }
    state.fails = false;
    await runtime.advance(4_100);
    state.fails = true;
    await runtime.advance(200);
    expect(failuresBefore.at(-1)).toBe(0);
    await loop.stop();
  });

  it('waits for the running pass when it is stopped, and makes no other one', async () => {
    const { runtime, state, begunAtMs, loop } = set();
    state.passMs = 500;
    loop.start();
    await runtime.advance(100);
    let isStopped = false;
    const stopped = loop.stop().then(() => (isStopped = true));
    loop.wake();
    await runtime.advance(399);
    expect(isStopped).toBe(false);
    await runtime.advance(1);
    expect(isStopped).toBe(true);
    await stopped;
    await runtime.advance(5_000);
    expect(begunAtMs).toEqual([0]);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('can be started again, and forgets the wake-ups of its last life', async () => {
    const { runtime, begunAtMs, loop } = set();
    loop.start();
    await runtime.advance(10);
    await loop.stop();
    loop.wake();
    loop.start();
    await runtime.advance(90);
    expect(begunAtMs).toEqual([0, 10]);
    await loop.stop();
  });

  it('ends when a pass asks for no other one', async () => {
    const { runtime, state, begunAtMs, loop } = set();
    state.pauseMs = null;
    loop.start();
    await runtime.advance(1_000);
    expect(begunAtMs).toEqual([0]);
    await loop.wakeAndWait();
    await loop.stop();
    expect(runtime.pendingTimers).toBe(0);
  });

  it('resolves a wait with the end of a pass that began after it', async () => {
    const { runtime, state, loop, stop } = set();
    state.passMs = 50;
    loop.start();
    await runtime.advance(20);
    let atMs = 0;
    void loop.wakeAndWait().then(() => (atMs = runtime.clock.nowMs()));
    await runtime.advance(200);
    expect(atMs).toBe(100);
    await stop();
  });

  it('makes one pass for a wait that follows the start, and ends waits when it is stopped', async () => {
    const { runtime, state, begunAtMs, loop } = set();
    state.passMs = 50;
    loop.start();
    const first = loop.wakeAndWait();
    await runtime.advance(60);
    await first;
    expect(begunAtMs).toEqual([0]);
    const second = loop.wakeAndWait();
    await loop.stop();
    await second;
  });

  it('sleeps longer than a timer can', async () => {
    const { runtime, state, begunAtMs, loop } = set();
    state.pauseMs = 2 ** 32;
    loop.start();
    await runtime.advance(2 ** 32);
    expect(begunAtMs).toEqual([0, 2 ** 32]);
    await loop.stop();
  });
});
