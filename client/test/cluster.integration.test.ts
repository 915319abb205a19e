import { encodeEntry } from '@lockstep/shared/for-clients';
import { Cluster } from 'ioredis';
import { startRedisCluster, type TestRedisCluster } from '@lockstep/testkit/servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../src/index.ts';
import { heard } from './support/heard.ts';
import { startStub, stubResource, type StubCoordinator } from './support/stub-coordinator.ts';

const { owner } = stubResource();
const IDS = Array.from({ length: 40 }, (_, n) => n + 1);

let servers: TestRedisCluster;
let cluster: Cluster;
let stub: StubCoordinator;
let client: Client;

/** A value as the coordinator leaves it. */
const entry = (id: number): string =>
  encodeEntry({
    ...{ state: 'value', version: id, fence: 1, writtenAtMs: 1, owner },
    row: { id, owner: `o${id}` },
  });

beforeAll(async () => {
  servers = await startRedisCluster();
  const port = servers.replica.port;
  // The first member that it asks is the replica.
  cluster = new Cluster([{ host: '127.0.0.1', port }]);
  for (const id of IDS) await cluster.set(`account:${id}`, entry(id));
  await cluster.set('lockstep:server', 'cache-1');
  stub = await startStub((_path, body) => {
    const { operations } = body as { operations: { key: number }[] };
    const results = operations.map(({ key }) => ({
      ...{ status: 200, resource: 'account', key: String(key), version: 7 },
      ...{ value: { id: key, owner: 'primary' }, source: 'primary', token: 't' },
    }));
    return { body: { results } };
  });
  client = createClient({ url: stub.url, redis: cluster });
  await client.ready({ timeoutMs: 20_000 });
});
afterAll(async () => {
  await client.close();
  cluster.disconnect();
  await stub.close();
  await servers.stop();
});

/** MGETs that the members have carried out. */
async function mgets(): Promise<number> {
  const infos = await Promise.all(cluster.nodes('master').map((node) => node.info('commandstats')));
  return infos.reduce(
    (sum, info) => sum + Number(/cmdstat_mget:calls=(\d+)/.exec(info)?.[1] ?? 0),
    0,
  );
}

describe('on a Redis Cluster', () => {
  test('RP1: entries of all members are read, from primaries only', async () => {
    const found = await client.getMany('account', IDS);
    expect(found.map((row) => [row?.version, row?.source])).toEqual(IDS.map((id) => [id, 'cache']));
    expect(stub.asked).toEqual([]);
    expect(await Promise.all(IDS.map((id) => client.get('account', id)))).toEqual(found);
  });

  test('keys of one slot go in one command', async () => {
    const before = await mgets();
    expect(await client.getMany('account', [1, 1, 2])).toMatchObject([
      { version: 1 },
      { version: 1 },
      { version: 2 },
    ]);
    expect((await mgets()) - before).toBe(1);
  });

  test('RP7: keys of a member that is away are read by the coordinator, the others are not', async () => {
    servers.primaries[2]?.pause();
    try {
      const reads = await heard('lockstep:read', async () => {
        const found = await client.getMany('account', IDS);
        expect(found.every((row) => row !== null)).toBe(true);
        const fromCache = found.filter((row) => row?.source === 'cache').length;
        expect(fromCache).toBeGreaterThan(10);
        expect(fromCache).toBeLessThan(IDS.length);
      });
      expect(reads).toHaveLength(IDS.length);
    } finally {
      servers.primaries[2]?.resume();
    }
  });
});
