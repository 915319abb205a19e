import { describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Leadership, type LeadershipTerm } from './leadership.ts';
import { MemoryLeadershipStore } from '@lockstep/testkit/doubles/memory-leadership-store';

const TERM_MS = 15_000;

function set() {
  const runtime = manualRuntime();
  const store = new MemoryLeadershipStore(runtime.clock);
  return { runtime, store, leadership: new Leadership(store, runtime) };
}

async function lead(leadership: Leadership): Promise<LeadershipTerm> {
  const { term } = await leadership.elect('job', null);
  if (term === null) throw new Error('another one leads');
  return term;
}

const onDemand = (runtime: ManualRuntime, signal = new AbortController().signal) => ({
  ...{ job: 'job', noun: 'audit', resource: 'account', waitMs: 30_000, signal, runtime },
});

const nothing = (): Promise<void> => Promise.resolve();

describe('the leadership of a job', () => {
  it('lasts for longer than a term while it is renewed, and ends when it is given up', async () => {
    const { runtime, leadership } = set();
    const term = await lead(leadership);
    await runtime.advance(5 * TERM_MS);
    expect(term.isLeading).toBe(true);
    expect((await leadership.elect('job', null)).term).toBeNull();
    await term.end();
    expect(term.isLeading).toBe(false);
    await (await lead(leadership)).end();
    expect(runtime.pendingTimers).toBe(0);
  });

  it('is lost when a renewal is refused', async () => {
    const { runtime, store, leadership } = set();
    const term = await lead(leadership);
    store.renew = () => Promise.resolve(false);
    await runtime.advance(4_000);
    expect(term.isLeading).toBe(false);
    expect(() => term.assertLeading()).toThrow('lost its leadership');
    expect(runtime.pendingTimers).toBe(0);
  });

  it('is lost when no renewal is answered in time', async () => {
    const { runtime, store, leadership } = set();
    const term = await lead(leadership);
    store.renew = () => Promise.reject(new Error('away'));
    await runtime.advance(TERM_MS - 1);
    expect(term.isLeading).toBe(true);
    await runtime.advance(1);
    expect(term.isLeading).toBe(false);
    await term.end();
  });

  it('is lost by a process that was paused for a term, before it notices', async () => {
    const { runtime, leadership } = set();
    const term = await lead(leadership);
    runtime.stall(TERM_MS);
    expect(term.isLeading).toBe(false);
    await term.end();
  });

  it('passes to a run on demand when the one before it has ended', async () => {
    const { runtime, leadership } = set();
    const first = await lead(leadership);
    let second: LeadershipTerm | null = null;
    const led = leadership.leadWhenFree(onDemand(runtime), (term) => {
      second = term;
      return Promise.resolve(term.isLeading);
    });
    await runtime.advance(20_000);
    expect(second).toBeNull();
    await first.end();
    await runtime.advance(250);
    expect(await led).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('ends with the work, well or not, so that the next one is elected at once', async () => {
    const { leadership } = set();
    const failing = leadership.lead('audit', () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    const led: string[] = [];
    await leadership.lead('audit', async () => {
      led.push('first');
      await leadership.lead('audit', () => Promise.resolve(void led.push('beside it')));
    });
    expect(led).toEqual(['first']);
  });

  it('is waited for by four runs at most, for a bounded time, and not while stopping', async () => {
    const { runtime, leadership } = set();
    await lead(leadership);
    const stopping = new AbortController();
    const waits = Array.from({ length: 4 }, () =>
      leadership.leadWhenFree(onDemand(runtime), nothing),
    );
    await expect(leadership.leadWhenFree(onDemand(runtime), nothing)).rejects.toMatchObject({
      ...{ code: 'QUEUE_FULL', message: '4 audits of account are waiting already.' },
    });
    const settled = Promise.allSettled(waits);
    await runtime.advance(31_000);
    for (const wait of await settled)
      expect(wait).toMatchObject({ reason: { code: 'LOCK_TIMEOUT' } });
    const last = leadership.leadWhenFree(onDemand(runtime, stopping.signal), nothing);
    stopping.abort();
    await expect(last).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });
});
