/** The steps on entries, scans and failovers on a real Redis Cluster. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { startRedisCluster, type TestRedisCluster } from '@lockstep/testkit/servers';
import { clusterMember, isCluster, mastersOf, printClusterUrl } from '../redis/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { describeEntrySteps } from './entry-steps.conformance.ts';
import { describeEntryStore, type EntryStoreFixture } from './entry-store.conformance.ts';
import { CacheConnection, RedisEntryScanner, RedisEntryStore } from './index.ts';

const FAILOVER = { withinMs: 60_000, everyMs: 100 };
const RESHARDED_SLOTS = 200;
const warnings: string[] = [];
const log = {
  ...{ debug: () => {}, info: () => {}, error: () => {} },
  warn: (_: object, message: string) => void warnings.push(message),
};
const runtime = systemRuntime(log);

let cluster: TestRedisCluster;
let connection: CacheConnection;
let store: RedisEntryStore;

beforeAll(async () => {
  cluster = await startRedisCluster();
  const members = cluster.primaries.map(({ url }) => clusterMember(url));
  const url = printClusterUrl({ members, username: null, password: null });
  connection = new CacheConnection({ url, commandTimeoutMs: 2_000, runtime });
  await connection.ready(30_000);
  // Else all keys are refused as soon as one master is away.
  await connection.run(async (client) => {
    if (!isCluster(client)) throw new Error('It is no Cluster');
    for (const member of client.nodes('all'))
      await member.config('SET', 'cluster-require-full-coverage', 'no');
  });
  store = new RedisEntryStore(
    connection,
    {
      leaseTtlMs: 3_000,
      tombstoneTtlMs: 60_000,
      isEntryKey: (cacheKey) => cacheKey.startsWith('account:'),
    },
    runtime,
  );
});
afterAll(async () => {
  connection.close();
  await cluster.stop();
});

const fixture = (): EntryStoreFixture => ({
  store,
  text: (cacheKey) => connection.run((client) => client.get(cacheKey)),
  put: async (cacheKey, text) => {
    await connection.run((client) => client.set(cacheKey, text));
  },
});
describeEntryStore('RedisEntryStore on a Cluster', fixture);
describeEntrySteps('RedisEntryStore on a Cluster', fixture);

const keysNamed = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `account:${name}-${index}`);

/** A write of each key: an intent and its publish. */
async function publishAll(keys: readonly string[], version: number): Promise<void> {
  await Promise.all(
    keys.map(async (cacheKey, index) => {
      const intent = await store.placeIntent(cacheKey, `w${version}`, 0);
      const value = { version, row: { id: index }, ttlMs: 600_000 };
      expect(await store.publish(cacheKey, intent, version, value)).toBe('fresh');
    }),
  );
}

async function scanned(prefix: string): Promise<string[]> {
  const scanner = new RedisEntryScanner(connection);
  const found = new Set<string>();
  let cursor: string | null = null;
  do {
    const page = await scanner.scan(cursor, 100);
    for (const { cacheKey } of page.keys) if (cacheKey.startsWith(prefix)) found.add(cacheKey);
    cursor = page.next;
  } while (cursor !== null);
  return [...found].sort();
}

describe('a Cluster', () => {
  it('carries out calls of one moment in their order, each for itself, on all masters', async () => {
    const keys = keysNamed('crowd', 300);
    await publishAll(keys, 1);
    const both = await Promise.all(
      keys.flatMap((cacheKey) => [
        store.invalidate(cacheKey, 2),
        store.placeIntent(cacheKey, 'b', 0).then(({ fence }) => fence > 0),
      ]),
    );
    expect(both).toEqual(keys.flatMap(() => ['invalidated', true]));
    const texts = await store.readMany(keys);
    expect(texts.map((stored) => stored?.entry.state)).toEqual(keys.map(() => 'intent'));
  });

  it('is scanned and sampled whole', async () => {
    const keys = keysNamed('scanned', 200);
    await publishAll(keys, 1);
    expect(await scanned('account:scanned-')).toEqual([...keys].sort());
    const sample = await new RedisEntryScanner(connection).sample('account:scanned-', 150);
    expect(new Set(sample).size).toBe(150);
  });

  it('loses nothing and answers nothing wrong while slots move, and nothing is swept for it', async () => {
    const keys = keysNamed('moved', 150);
    await publishAll(keys, 1);
    const master = connection.master;
    let isMoving = true;
    const [, from, to] = cluster.primaries;
    if (from === undefined || to === undefined) throw new Error('There are three');
    const moving = cluster.reshard(from, to, RESHARDED_SLOTS).finally(() => (isMoving = false));
    // It begins again until no slot has moved while it ran.
    const scan = scanned('account:moved-');
    let version = 1;
    while (isMoving) {
      version += 1;
      await publishAll(keys, version);
      // As readiness asks again and again.
      await connection.check();
      expect(connection.partFault).toBeNull();
      const read = await store.readMany(keys);
      expect(read.map((stored) => stored?.entry)).toEqual(
        keys.map(() => expect.objectContaining({ state: 'value', version }) as unknown),
      );
    }
    await moving;
    expect(await scan).toEqual([...keys].sort());
    expect(version).toBeGreaterThan(2);
    expect(connection.master).toBe(master);
  });

  it('goes on where a master hangs: only its own keys fail', async () => {
    const keys = keysNamed('hung', 60);
    await publishAll(keys, 1);
    const { master } = connection;
    cluster.primaries[1]?.pause();
    try {
      const read = await Promise.allSettled(keys.map((cacheKey) => store.read(cacheKey)));
      expect(new Set(read.map(({ status }) => status))).toEqual(new Set(['fulfilled', 'rejected']));
      await eventually(() => expect(connection.partFault).toMatch(/1 of 3 masters/), FAILOVER);
      expect(connection.up).toBe(true);
      const answered = keys.filter((_, index) => read[index]?.status === 'fulfilled');
      expect((await store.readMany(answered)).map((stored) => stored?.entry.state)).toEqual(
        answered.map(() => 'value'),
      );
    } finally {
      cluster.primaries[1]?.resume();
    }
    await eventually(() => expect(connection.partFault).toBeNull(), FAILOVER);
    await eventually(() => publishAll(keys, 2), FAILOVER);
    expect(connection.master).toBe(master);
  });

  it('goes on where a master dies, names what is away, and notices its successor', async () => {
    const keys = keysNamed('lost', 60);
    await publishAll(keys, 1);
    const before = connection.master;
    await cluster.primaries[0]?.kill();
    await eventually(() => expect(connection.partFault).toMatch(/1 of 3 masters/), FAILOVER);
    expect(connection.up).toBe(true);
    const while_ = await Promise.allSettled(keys.map((cacheKey) => store.read(cacheKey)));
    const statuses = new Set(while_.map(({ status }) => status));
    expect(statuses).toEqual(new Set(['fulfilled', 'rejected']));
    for (const result of while_)
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'CACHE_UNAVAILABLE' });
    await eventually(() => publishAll(keys, 2), FAILOVER);
    await eventually(() => {
      expect(connection.partFault).toBeNull();
      expect(connection.master?.moves).toBe((before?.moves ?? 0) + 1);
    }, FAILOVER);
    expect(warnings.some((each) => each.includes('failed over'))).toBe(true);
    const { client } = connection;
    if (!isCluster(client)) throw new Error('It is no Cluster');
    expect(mastersOf(client).map(({ name }) => name)).toContain(
      `127.0.0.1:${cluster.replica.port}`,
    );
  });
});
