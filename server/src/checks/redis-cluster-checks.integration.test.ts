import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, startRedisCluster, type TestRedisCluster } from '@lockstep/testkit/servers';
import { formatFault, loadConfig } from '../config/index.ts';
import { findFreePort } from '../embedded/free-port.ts';
import { createLog, systemRuntime } from '../runtime/index.ts';
import { checkServers, serverUrls } from './index.ts';
import { redisServerId } from './redis-server-id.ts';

const runtime = systemRuntime(createLog('silent', null));
let cluster: TestRedisCluster;
let urls: string[] = [];

beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: 3 });
  urls = cluster.members.map(({ url }) => url);
});
afterAll(() => cluster.stop());

/** What `check` and `start` find in such a cache; the other servers are not looked at. */
async function found(cache: Record<string, unknown> = {}, policy = 'delete-after-write') {
  const raw = {
    cache: { cluster: urls, ...cache },
    resources: { account: { table: 'accounts', key: ['id'], policy } },
  };
  const { config } = await loadConfig({ raw, env: {}, cwd: '/' });
  const result = await checkServers(config, serverUrls(config), runtime);
  return {
    faults: result.faults.map(formatFault),
    absent: result.absent.map(formatFault),
    spare: result.spare.map(formatFault),
    warnings: result.warnings.map(formatFault),
    notes: result.notes,
  };
}

const NOTHING = { faults: [], absent: [], spare: [], warnings: [] };
const nobody = async (): Promise<string> => `redis://127.0.0.1:${await findFreePort()}`;
const setEach = async (name: string, value: string): Promise<void> => {
  for (const url of urls) {
    const client = new Redis(url);
    await client.config('SET', name, value);
    client.disconnect();
  }
};

describe('the checks of a Redis Cluster', () => {
  it('find nothing wrong, and say what it is', async () => {
    expect(await found()).toEqual({
      ...NOTHING,
      notes: expect.arrayContaining(['cache: a Redis Cluster of 3 masters']) as string[],
    });
  });

  it('need one member of the configuration to answer, and name the others', async () => {
    const away = await nobody();
    const some = await found({ cluster: [away, ...urls] });
    expect(some.spare).toEqual([expect.stringMatching(/^cache\.cluster\.0: .*ECONNREFUSED/)]);
    expect(some.faults).toEqual([]);
    const none = await found({ cluster: [away] });
    expect(none.absent).toEqual([expect.stringMatching(/^cache\.cluster: no member answers: /)]);
  });

  it('refuse a server that is no member of one', async () => {
    const single = await startRedis();
    try {
      expect((await found({ cluster: [single.url] })).faults).toEqual([
        expect.stringMatching(/^cache\.cluster\.0: is no member of a Redis Cluster; allowed: /),
      ]);
    } finally {
      await single.stop();
    }
  });

  it('look at each master, and name it', async () => {
    await setEach('maxmemory-policy', 'allkeys-lru');
    try {
      const { faults } = await found({ waitReplicas: 1 }, 'strict');
      expect(faults).toHaveLength(3);
      for (const fault of faults)
        expect(fault).toMatch(
          /^cache\.cluster: the master 127\.0\.0\.1:\d+ has maxmemory-policy allkeys-lru/,
        );
    } finally {
      await setEach('maxmemory-policy', 'noeviction');
    }
  });

  it('name what a failover puts at risk for strict resources', async () => {
    const [first, ...others] = (await found({}, 'strict')).warnings;
    expect(first).toMatch(/^cache\.cluster: a failover may lose the last writes of the cache/);
    expect(others).toEqual([]);
    expect((await found({ waitReplicas: 1 }, 'strict')).warnings).toEqual([]);
    expect((await found({ waitReplicas: 2 }, 'strict')).warnings).toEqual(
      [1, 2, 3].map(
        () =>
          expect.stringMatching(
            /the master 127\.0\.0\.1:\d+ has 1 connected replica\(s\), fewer than cache\.waitReplicas/,
          ) as unknown,
      ),
    );
  });

  it('give it one id, by whatever members it is reached', async () => {
    const ofAll = serverUrls((await loadConfig(rawOf(urls))).config).cache ?? '';
    const ofOne = serverUrls((await loadConfig(rawOf(urls.slice(-1)))).config).cache ?? '';
    expect(await redisServerId(ofAll, 'first', false)).toBe('first');
    expect(await redisServerId(ofOne, 'second', false)).toBe('first');
  });
});

const rawOf = (members: string[]) => ({
  raw: {
    cache: { cluster: members },
    resources: { account: { table: 'accounts', key: ['id'], policy: 'strict' } },
  },
  ...{ env: {}, cwd: '/' },
});
