import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Key } from '../domain/index.ts';
import { accountKey } from '@lockstep/testkit/doubles/keys';
import type { Grant } from './lock-nodes.ts';
import { eventually, leastMs, RealLockNodes, timed } from './testing/real-lock-nodes.ts';

let real: RealLockNodes;
let lastKey = 0;

beforeAll(async () => {
  real = await RealLockNodes.start();
});
afterEach(() => real.reset());
afterAll(() => real.stop());

function newKey(): Key {
  return accountKey(++lastKey);
}

describe('lock nodes', () => {
  it('L1: grant, refuse, extend and release, and tell each grant from the others', async () => {
    const nodes = await real.connect();
    const { lockKey } = newKey();
    const grant = await nodes.tryAcquire(lockKey, 1_000);
    if (typeof grant === 'string') throw new Error(grant);
    expect(await nodes.tryAcquire(lockKey, 1_000)).toBe('contended');
    expect(await nodes.extend(grant, 2_000)).toBe('extended');
    expect(await nodes.release(grant)).toBe('released');
    expect(await nodes.release(grant)).toBe('gone');
    expect(await nodes.extend(grant, 2_000)).toBe('lost');
    expect(await nodes.tryAcquire(lockKey, 1_000)).toMatchObject({ lockKey });
  });

  it('are sent their scripts again after they lost them, before any command needs one', async () => {
    const nodes = await real.connect();
    await Promise.all([0, 1, 2].map((index) => real.node(index).restart()));
    await eventually(() => nodes.status().every(({ status }) => status === 'up'));
    const probe = new Redis(real.node(0).url);
    const grant = await nodes.tryAcquire(newKey().lockKey, 1_000);
    if (typeof grant === 'string') throw new Error(grant);
    await nodes.extend(grant, 1_000);
    await nodes.release(grant);
    const stats = await probe.info('commandstats');
    probe.disconnect();
    expect(stats).not.toMatch(/cmdstat_eval:/);
  });

  it('release many locks of one moment with few commands, each with its own result', async () => {
    const nodes = await real.connect();
    const keys = Array.from({ length: 250 }, () => newKey().lockKey);
    const held: Grant[] = [];
    for (const lockKey of keys) {
      await expect
        .poll(async () => {
          const grant = await nodes.tryAcquire(lockKey, 60_000);
          return typeof grant === 'object' && held.push(grant) > 0;
        })
        .toBe(true);
    }
    const [taken, kept] = keys;
    if (taken === undefined || kept === undefined) throw new Error('no keys');
    await real.values(taken, 'getdel');
    const probe = new Redis(real.node(0).url);
    await probe.config('RESETSTAT');
    const released = await Promise.all(held.map((grant) => nodes.release(grant)));
    expect(released.map((result, index) => (index === 0 ? result === 'gone' : result))).toEqual([
      true,
      ...Array.from({ length: 249 }, () => 'released'),
    ]);
    expect(await real.values(kept)).toEqual([null, null, null]);
    const stats = await probe.info('commandstats');
    probe.disconnect();
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(10);
  });

  it('work with one down', async () => {
    const nodes = await real.connect();
    await real.node(0).kill();
    const { lockKey } = newKey();
    const grant = await nodes.tryAcquire(lockKey, 5_000);
    if (typeof grant === 'string') throw new Error(grant);
    const anotherMs = await leastMs(async () => {
      expect(await nodes.tryAcquire(newKey().lockKey, 5_000)).toBeTypeOf('object');
    });
    expect(anotherMs).toBeLessThan(60);
    expect(await nodes.tryAcquire(lockKey, 5_000)).toBe('contended');
    expect(await nodes.extend(grant, 5_000)).toBe('extended');
    expect(await nodes.release(grant)).toBe('released');
    await eventually(() => nodes.status()[0]?.status === 'down');
    expect(nodes.status()[0]?.fault).toBeDefined();
  });

  it('distinguish an outage of two from a held lock, and recover by themselves', async () => {
    const nodes = await real.connect();
    const { lockKey } = newKey();
    const grant = await nodes.tryAcquire(lockKey, 60_000);
    if (typeof grant === 'string') throw new Error(grant);
    await Promise.all([real.node(0).kill(), real.node(1).kill()]);
    expect(await nodes.tryAcquire(lockKey, 5_000)).toBe('unavailable');
    expect(await nodes.tryAcquire(newKey().lockKey, 5_000)).toBe('unavailable');
    expect(await nodes.extend(grant, 60_000)).toBe('unavailable');
    expect(await nodes.release(grant)).toBe('unavailable');
    await Promise.all([real.node(0).restart(), real.node(1).restart()]);
    expect(await nodes.untilMajority(5_000)).toBe(true);
    await eventually(
      async () => typeof (await nodes.tryAcquire(newKey().lockKey, 500)) === 'object',
    );
  });

  it('answer without delay while one hangs, and report it', async () => {
    const nodes = await real.connect();
    real.node(2).pause();
    const took: number[] = [];
    // Only until it is marked down: after that it is not asked any more.
    for (let count = 0; count < 50 && nodes.status()[2]?.status === 'up'; count++) {
      const { value, tookMs } = await timed(() => nodes.tryAcquire(newKey().lockKey, 1_000));
      expect(value).toBeTypeOf('object');
      took.push(tookMs);
    }
    expect(Math.min(...took)).toBeLessThan(20);
    await eventually(() => nodes.status()[2]?.status === 'down');
    expect(nodes.status()[2]?.fault).toMatch(/does not answer/);
    const { lockKey } = newKey();
    await nodes.tryAcquire(lockKey, 60_000);
    const contendedMs = await leastMs(async () => {
      expect(await nodes.tryAcquire(lockKey, 5_000)).toBe('contended');
    });
    expect(contendedMs).toBeLessThan(60);
    real.node(2).resume();
    await eventually(() => nodes.status()[2]?.status === 'up');
  });

  it('distinguish a held lock from an outage when one is down and one hangs', async () => {
    const nodes = await real.connect();
    const { lockKey } = newKey();
    await nodes.tryAcquire(lockKey, 60_000);
    await real.node(0).kill();
    real.node(1).pause();
    expect(await nodes.tryAcquire(lockKey, 1_000)).toBe('unavailable');
    await eventually(() => nodes.status()[1]?.status === 'down');
    const refusedMs = await leastMs(async () => {
      expect(await nodes.tryAcquire(newKey().lockKey, 1_000)).toBe('unavailable');
    });
    expect(refusedMs).toBeLessThan(60);
    real.node(1).resume();
    await eventually(() => nodes.status()[1]?.status === 'up');
    expect(await nodes.tryAcquire(lockKey, 1_000)).toBe('contended');
  });

  it.each([
    [
      'lack replicas',
      (node: Redis) => node.config('SET', 'min-replicas-to-write', '1'),
      (node: Redis) => node.config('SET', 'min-replicas-to-write', '0'),
      /NOREPLICAS/,
    ],
    [
      'have no memory left',
      (node: Redis) => node.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction'),
      (node: Redis) => node.config('SET', 'maxmemory', '0'),
      /OOM/,
    ],
    [
      'are replicas of another server',
      (node: Redis) => node.replicaof('127.0.0.1', real.node(2).port),
      (node: Redis) => node.call('REPLICAOF', 'NO', 'ONE'),
      /READONLY/,
    ],
    [
      'may run no scripts',
      (node: Redis) => node.call('ACL', 'SETUSER', 'default', '-@scripting'),
      (node: Redis) => node.call('ACL', 'SETUSER', 'default', '+@all'),
      /NOPERM/,
    ],
  ])(
    'have no vote where they %s; they are reported, and recover by themselves',
    async (_, break_, mend, named) => {
      const nodes = await real.connect();
      const behind = [0, 1].map((index) => new Redis(real.node(index).url));
      try {
        const held = newKey().lockKey;
        await nodes.tryAcquire(held, 60_000);
        await Promise.all(behind.map(break_));
        // Only a majority of votes shows that the lock is held, and a refusal is not a vote.
        expect(await nodes.tryAcquire(held, 1_000)).toBe('unavailable');
        expect(await nodes.tryAcquire(newKey().lockKey, 1_000)).toBe('unavailable');
        await eventually(
          () => nodes.status().filter(({ status }) => status === 'down').length === 2,
        );
        expect(nodes.status().map(({ fault }) => fault ?? 'up')).toEqual([
          expect.stringMatching(named),
          expect.stringMatching(named),
          'up',
        ]);
        await Promise.all(behind.map(mend));
        await eventually(() => nodes.status().every(({ status }) => status === 'up'), 4_000);
        await eventually(
          async () => typeof (await nodes.tryAcquire(newKey().lockKey, 500)) === 'object',
        );
      } finally {
        await Promise.all(behind.map(mend));
        for (const client of behind) client.disconnect();
      }
    },
  );
});
