import { describe, expect, it } from 'vitest';
import { MemoryWorld } from './testing/memory-world.ts';
import { audit, withEachClass } from './testing/run-audit.ts';

describe('one audit at a time', () => {
  it('makes an audit on demand wait for the one that runs, in another instance too', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    const other = world.another();
    const both = Promise.all([
      world.audits.run(world.resource, { trigger: 'demand' }),
      other.run(world.resource, { trigger: 'demand' }),
    ]);
    await world.runtime.advance(20_000);
    const [first, second] = await both;
    expect([first.repaired, second.repaired].toSorted()).toEqual([0, 5]);
  });

  it('refuses more waiting audits than the bound', async () => {
    const world = new MemoryWorld();
    const runs = Array.from({ length: 8 }, () =>
      world.audits.run(world.resource, { trigger: 'demand' }),
    );
    const settled = Promise.allSettled(runs);
    await world.runtime.advance(30_000);
    const refused = (await settled).filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ reason: { code: 'QUEUE_FULL' } });
  });

  it('takes over when the leader died', async () => {
    const world = new MemoryWorld();
    await world.leaders.elect('account', 'dead', 15_000, null);
    await world.store.beginRun({ resource: 'account', trigger: 'schedule', repair: 'report' });
    await audit(world);
    const runs = await world.audits.runs({ limit: 10 });
    expect(runs.map(({ status }) => status)).toEqual(['done', 'failed']);
  });

  it('stops a run that has lost its leadership', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    world.leaders.renew = () => Promise.resolve(false);
    const { audit: rule } = world.resource;
    if (rule === null) throw new Error('the resource is not audited');
    const patient = { ...world.resource, audit: { ...rule, graceMs: 10_000 } };
    await expect(audit(world, {}, patient)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(world.calls).toEqual([]);
  });
});

describe('the schedule', () => {
  it('runs once in an interval however many instances there are', async () => {
    const world = new MemoryWorld();
    world.put(1);
    const other = world.another();
    world.audits.start();
    other.start();
    await world.runtime.advance(10_000);
    expect(await world.audits.runs({ limit: 10 })).toHaveLength(1);
    await world.runtime.advance(240_000);
    const runs = await world.audits.runs({ limit: 100 });
    expect(runs.length).toBeGreaterThanOrEqual(4);
    expect(runs.length).toBeLessThanOrEqual(5);
    expect(runs.every(({ trigger, status }) => trigger === 'schedule' && status === 'done')).toBe(
      true,
    );
    const [next] = (await world.audits.overview()).next;
    expect(next?.atMs).toBeGreaterThan(world.runtime.clock.wallMs());
    await Promise.all([world.audits.stop(), other.stop()]);
    expect(world.runtime.pendingTimers).toBe(0);
  });

  it('goes on by the schedule after a run that failed', async () => {
    const world = new MemoryWorld();
    world.put(1);
    world.state.databaseAway = true;
    world.audits.start();
    await world.runtime.advance(10_000);
    world.state.databaseAway = false;
    await world.runtime.advance(61_000);
    const runs = await world.audits.runs({ limit: 10 });
    expect(runs.map(({ status }) => status)).toEqual(['done', 'failed']);
    await world.audits.stop();
  });

  it('stops in the middle of a run and says so', async () => {
    const world = new MemoryWorld();
    withEachClass(world);
    world.audits.start();
    await world.runtime.advanceUntil(() => world.runtime.clock.nowMs() > 3_200, 10_000, 50);
    await world.audits.stop();
    expect(world.calls).toEqual([]);
    expect(await world.audits.runs({ limit: 1 })).toMatchObject([{ status: 'failed' }]);
    expect(world.runtime.pendingTimers).toBe(0);
  });
});

describe('the schedule with the database away', () => {
  it('tries again soon instead of waiting for the next interval', async () => {
    const world = new MemoryWorld();
    world.put(1);
    const elect = world.leaders.elect.bind(world.leaders);
    world.leaders.elect = () => Promise.reject(new Error('away'));
    world.audits.start();
    await world.runtime.advance(10_000);
    world.leaders.elect = elect;
    await world.runtime.advance(5_000);
    expect(await world.audits.runs({ limit: 10 })).toMatchObject([{ status: 'done' }]);
    await world.audits.stop();
  });
});
