import { createClient } from '@lockstep/client';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { startRedisCluster, type TestRedisCluster } from '@lockstep/testkit/servers';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, PATIENT_CACHE, SHOP_SQL } from '../support/shop.ts';
import { describeApi } from './suites/api.conformance.ts';

describe('with a Redis Cluster as the cache', () => {
  let cluster: TestRedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());
  const bed = useInstance(() => {
    const urls = cluster.primaries.map(({ url }) => url);
    return {
      config: embeddedShop({ cache: { cluster: urls, ...PATIENT_CACHE } }),
      files: { 'shop.sql': SHOP_SQL.pg },
      behind: { cacheUrl: `redis+cluster://${urls.join(',').replaceAll('redis://', '')}` },
    };
  });
  describeApi(bed);

  test('a service’s client reads what the coordinators have cached, on each master', async () => {
    const redis = new Cluster(cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port })));
    const { url, serviceToken } = bed.instance.runtime;
    const client = createClient({ url, token: serviceToken, redis });
    try {
      await client.ready({ timeoutMs: 30_000 });
      const ids = Array.from({ length: 12 }, newId);
      for (const id of ids) await client.put('account', id, { owner: `o${id}`, balance: 1 });
      await eventually(async () => {
        const read = await client.getMany('account', ids);
        expect(read.map((row) => row?.source)).toEqual(ids.map(() => 'cache'));
      });
      await client.patch('account', ids[0] ?? 0, { $inc: { balance: 1 } });
      expect(await client.get('account', ids[0] ?? 0)).toMatchObject({ version: 2 });
    } finally {
      await client.close();
      redis.disconnect();
    }
  });
});
