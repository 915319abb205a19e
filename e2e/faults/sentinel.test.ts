/** A coordinator on a cache that Sentinels watch: its master dies, comes back, and hangs, and nobody restarts anything. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { eventually } from '@lockstep/testkit/poll';
import { startSentinelSet, type TestRedis, type TestSentinelSet } from '@lockstep/testkit/servers';
import { onRedis } from '../support/on-redis.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

/** Sentinels promise a few seconds. They wait for half a minute if a busy machine has made their clock jump. */
const FAILOVER = { withinMs: 120_000, everyMs: 200 };

let set: TestSentinelSet;
beforeAll(async () => {
  set = await startSentinelSet();
});
afterAll(() => set.stop());

const bed = useInstance(() => ({
  config: embeddedShop({
    cache: {
      sentinels: set.sentinels.map(({ url }) => url),
      name: set.name,
      password: set.password,
    },
  }),
  files: { 'shop.sql': SHOP_SQL.pg },
  // The present master changes; what is asked of it is asked by `onMaster`.
  behind: { cacheUrl: set.servers[0]?.url ?? '' },
}));

const onMaster = async <T>(ask: (client: Redis) => Promise<T>): Promise<T> =>
  onRedis((await set.master()).url, ask);

async function failovers(): Promise<number> {
  const { text } = await bed.anonymous.call('GET', '/metrics');
  return Number(/^lockstep_cache_failovers_total (\d+)$/m.exec(text)?.[1] ?? NaN);
}

async function failoverCheck(): Promise<{ ok: boolean; required: boolean; detail: string | null }> {
  const { status, text } = await bed.anonymous.call('GET', '/readyz?verbose');
  expect(status).toBe(200);
  const { checks } = JSON.parse(text) as {
    checks: { name: string; ok: boolean; required: boolean; detail: string | null }[];
  };
  const found = checks.find(({ name }) => name === 'cache failover');
  if (found === undefined) throw new Error('Nothing is said of failovers');
  return found;
}

/** Both policies write, and their values are read from the cache. */
async function expectToWork(): Promise<void> {
  const id = newId();
  const put = await bed.api.put('account', id, { owner: 'a', balance: 1 });
  expect(put.body).toMatchObject({ outcome: 'applied', cache: 'fresh' });
  expect((await bed.api.get('account', id)).body).toMatchObject({ source: 'cache', version: 1 });
  const written = await bed.api.put('profile', id, { name: 'a' });
  expect(written.body).toMatchObject({ outcome: 'applied', cache: 'invalidated' });
  await bed.api.get('profile', id);
  expect((await bed.api.get('profile', id)).body).toMatchObject({ source: 'cache' });
}

async function otherMaster(than: TestRedis): Promise<TestRedis> {
  const master = await set.master();
  expect(master.port).not.toBe(than.port);
  return master;
}

/**
 * Writes to both values of a key, and kills the master, whose replicas have not heard of the writes: they were cut off.
 */
async function writeUnreplicated(id: number): Promise<void> {
  const master = await set.master();
  const replicas = set.servers.filter(({ port }) => port !== master.port);
  for (const { url } of replicas) await onRedis(url, (client) => client.replicaof('127.0.0.1', 1));
  await bed.api.patch('account', id, { balance: 2 });
  const written = await bed.api.patch('profile', id, { name: 'new' });
  expect(written.body.cache).toBe('invalidated');
  await master.kill();
}

describe('a cache that Sentinels watch', () => {
  test('works, and tells of the risk to strict resources', async () => {
    await expectToWork();
    expect(await failoverCheck()).toMatchObject({ ok: true, required: false });
    expect((await failoverCheck()).detail).toMatch(/^risk: a failover may lose the last writes/);
    expect(await failovers()).toBe(0);
    const log = bed.instance.logTail();
    expect(log).toMatch(/cache\.sentinels: a failover may lose the last writes/);
  });

  test('fails over: writes go on, and entries that came back are swept (X6)', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'a', balance: 1 });
    await bed.api.put('profile', id, { name: 'old' });
    await bed.api.get('profile', id);
    const before = await set.master();
    const replicated = await onMaster((client) => client.wait(2, 10_000));
    expect(replicated).toBe(2);
    const counted = await failovers();

    await writeUnreplicated(id);
    const after = await eventually(() => otherMaster(before), FAILOVER);
    expect(after.isRunning).toBe(true);
    await eventually(expectToWork, FAILOVER);
    await eventually(async () => expect(await failovers()).toBe(counted + 1), FAILOVER);
    await eventually(async () => expect(await failoverCheck()).toMatchObject({ ok: true }));
    expect((await bed.api.get('account', id)).body).toMatchObject({ value: { balance: 2 } });
    expect((await bed.api.get('profile', id)).body).toMatchObject({ value: { name: 'new' } });
    expect(bed.instance.logTail()).toMatch(/the cache has failed over to another server/);

    // The old master comes back as a replica, which changes nothing.
    await before.restart();
    await eventually(async () => {
      const replicas = await onMaster((client) => client.info('replication'));
      expect(replicas).toMatch(/connected_slaves:2/);
    }, FAILOVER);
    await expectToWork();
    expect(await failovers()).toBe(counted + 1);
  });

  test('is left when it hangs, also if its connections stay open (X7)', async () => {
    const before = await set.master();
    const counted = await failovers();
    before.pause();
    try {
      await eventually(() => otherMaster(before), FAILOVER);
      await eventually(expectToWork, FAILOVER);
      await eventually(async () => expect(await failovers()).toBeGreaterThan(counted), FAILOVER);
    } finally {
      before.resume();
    }
    await eventually(expectToWork, FAILOVER);
  });
});
