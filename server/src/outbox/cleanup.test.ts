import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { OutboxCleanup } from './cleanup.ts';

function set() {
  const runtime = manualRuntime();
  const batches: (readonly string[])[] = [];
  const state = { fails: false, gate: Promise.resolve() };
  const store = {
    async remove(ids: readonly string[]) {
      batches.push(ids);
      await state.gate;
      if (state.fails) throw new Error('away');
    },
  };
  return { runtime, batches, state, cleanup: new OutboxCleanup(store, runtime) };
}

describe('the batch cleanup', () => {
  it('removes what comes together in one statement', async () => {
    const { runtime, batches, cleanup } = set();
    cleanup.add('1');
    cleanup.add('2');
    await runtime.advance(49);
    expect(batches).toEqual([]);
    await runtime.advance(2);
    expect(batches).toEqual([['1', '2']]);
    expect(cleanup.counts()).toEqual({ removed: 2, failed: 0 });
  });

  it('does not wait for the timer when a batch is full, and never runs two at once', async () => {
    const { runtime, batches, state, cleanup } = set();
    let open = (): void => undefined;
    state.gate = new Promise((resolve) => (open = resolve));
    for (let id = 0; id < 1_300; id += 1) cleanup.add(String(id));
    await runtime.advance(1_000);
    expect(batches.map((batch) => batch.length)).toEqual([500]);
    open();
    await runtime.advance(51);
    expect(batches.map((batch) => batch.length)).toEqual([500, 500, 300]);
  });

  it('leaves rows to the relay when their removal fails, and counts them (W5)', async () => {
    const { runtime, state, cleanup } = set();
    state.fails = true;
    cleanup.add('1');
    await runtime.advance(60);
    state.fails = false;
    cleanup.add('2');
    await runtime.advance(60);
    expect(cleanup.counts()).toEqual({ removed: 1, failed: 1 });
    expect(runtime.lines.filter((line) => line.level === 'warn')).toHaveLength(1);
  });

  it('removes everything that is collected before it stops', async () => {
    const { batches, cleanup, runtime } = set();
    for (let id = 0; id < 700; id += 1) cleanup.add(String(id));
    await cleanup.stop();
    expect(batches.flat()).toHaveLength(700);
    expect(runtime.pendingTimers).toBe(0);
  });
});
