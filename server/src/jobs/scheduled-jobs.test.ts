import { describe, expect, it } from 'vitest';
import { resource as testResource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Leadership } from './leadership.ts';
import { ScheduledJobs } from './scheduled-jobs.ts';
import { MemoryLeadershipStore } from '@lockstep/testkit/doubles/memory-leadership-store';

const specs = (...names: string[]) =>
  names.map((name) => ({ resource: testResource({ name }), when: { everyMs: 60_000 } }));

/** Coordinators that have the same jobs, each of which takes `runMs`. */
function set(...names: string[]) {
  const runtime = manualRuntime();
  const store = new MemoryLeadershipStore(runtime.clock);
  const state = { runMs: 10, fails: false, inFlight: 0, most: 0, failures: 0 };
  const runs: string[] = [];
  const coordinator = () =>
    new ScheduledJobs(specs(...names), {
      nameOf: ({ name }) => `job:${name}`,
      leadership: new Leadership(store, runtime),
      run: async ({ name }, _, signal) => {
        runs.push(name);
        state.inFlight += 1;
        state.most = Math.max(state.most, state.inFlight);
        await runtime.timers.sleep(state.runMs, signal);
        state.inFlight -= 1;
        if (state.fails) throw new Error('failed');
      },
      onFailure: () => (state.failures += 1),
      runtime,
    });
  return { runtime, store, state, runs, coordinator };
}

describe('scheduled jobs', () => {
  it('run once in an interval in the whole cluster', async () => {
    const { runtime, runs, coordinator } = set('one');
    const coordinators = [coordinator(), coordinator(), coordinator()];
    for (const each of coordinators) each.start();
    await runtime.advance(5_000);
    expect(runs).toEqual(['one']);
    await runtime.advance(60_000);
    expect(runs).toEqual(['one', 'one']);
    await Promise.all(coordinators.map((each) => each.stop()));
    expect(runtime.pendingTimers).toBe(0);
  });

  it('run two at a time, and all of them', async () => {
    const { runtime, state, runs, coordinator } = set('a', 'b', 'c', 'd', 'e');
    state.runMs = 5_000;
    const jobs = coordinator();
    jobs.start();
    await runtime.advance(20_000);
    expect(runs.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(state.most).toBe(2);
    await jobs.stop();
  });

  it('keep their interval where a run takes long or fails', async () => {
    const { runtime, state, runs, coordinator } = set('one');
    Object.assign(state, { runMs: 20_000, fails: true });
    const jobs = coordinator();
    jobs.start();
    await runtime.advance(3_000 + 3 * 60_000);
    expect(runs).toHaveLength(4);
    expect(state.failures).toBe(3);
    await jobs.stop();
  });

  it('are tried again soon where nobody can be elected', async () => {
    const { runtime, store, state, runs, coordinator } = set('one');
    const elect = store.elect.bind(store);
    store.elect = () => Promise.reject(new Error('away'));
    const jobs = coordinator();
    jobs.start();
    await runtime.advance(10_000);
    expect(state.failures).toBeGreaterThan(2);
    store.elect = elect;
    await runtime.advance(2_000);
    expect(runs).toEqual(['one']);
    await jobs.stop();
  });

  it('say when they are due, and follow a change of the resources', async () => {
    const { runtime, runs, coordinator } = set('one');
    const jobs = coordinator();
    expect(jobs.next()).toEqual([{ resource: 'one', atMs: null }]);
    jobs.start();
    expect(jobs.next()[0]?.atMs).toBeGreaterThan(runtime.clock.wallMs());
    await jobs.replace(specs('two'));
    await runtime.advance(5_000);
    expect(runs).toEqual(['two']);
    expect(jobs.next()).toMatchObject([{ resource: 'two' }]);
    await jobs.stop();
    expect(runtime.pendingTimers).toBe(0);
  });

  it('end those that wait for others when they are stopped', async () => {
    const { runtime, state, runs, coordinator } = set('a', 'b', 'c');
    state.runMs = 50_000;
    const jobs = coordinator();
    jobs.start();
    await runtime.advance(4_000);
    expect(runs).toHaveLength(2);
    await jobs.stop();
    expect(runs).toHaveLength(2);
    expect(runtime.pendingTimers).toBe(0);
  });
});
