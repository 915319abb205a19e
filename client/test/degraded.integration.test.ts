import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { startRedis } from '@lockstep/testkit/servers';
import { type Client, createClient } from '../src/index.ts';
import { useBed } from './support/bed.ts';
import { failureOf, heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed({ cache: { mode: 'embedded', commandTimeout: '500ms' } });

afterEach(async () => {
  bed.links.cache.heal();
  bed.links.coordinator.heal();
  await bed.redis.replicaof('NO', 'ONE');
});

/** A row that is in the cache. */
async function cachedRow(client: Client): Promise<number> {
  const id = newId();
  // The coordinator may not have noticed yet that the cache is back.
  await eventually(() => client.put('account', id, { owner: 'Ada', balance: 1 }));
  await eventually(async () =>
    expect(await client.get('account', id)).toMatchObject({ source: 'cache' }),
  );
  return id;
}

describe('while the cache is away', () => {
  test('RP7: reads are answered by the coordinator, and from the cache again when it is back', async () => {
    const client = await bed.ready();
    const id = await cachedRow(client);
    bed.links.cache.accept('refuse');
    bed.links.cache.reset();
    const reads = await heard('lockstep:read', async () =>
      expect(await client.get('account', id)).toMatchObject({ version: 1 }),
    );
    expect(reads).toMatchObject([{ from: 'coordinator' }]);
    bed.links.cache.heal();
    await eventually(async () => {
      const again = await heard('lockstep:read', () => client.get('account', id));
      expect(again).toMatchObject([{ from: 'cache' }]);
    });
  });

  test('RP7: a cache that hangs costs a few reads its timeout, and then none', async () => {
    const client = await bed.ready({ redisTimeoutMs: 150 });
    const id = await cachedRow(client);
    bed.links.cache.blackHole();
    for (let n = 0; n < 3; n++)
      expect(await client.get('account', id)).toMatchObject({ version: 1 });
    const reads = await heard('lockstep:read', () => client.get('account', id));
    expect(reads).toMatchObject([{ from: 'coordinator', reason: 'unread' }]);
    bed.links.cache.heal();
    bed.links.cache.reset();
    await eventually(async () =>
      expect(await client.get('account', id)).toMatchObject({ source: 'cache' }),
    );
  });

  test('writes that need it are refused with a code, once and for the caller to see', async () => {
    const client = await bed.ready({ retries: { maxAttempts: 2 } });
    bed.instance.pauseServer('cache');
    try {
      const error = await failureOf(client.put('account', newId(), { owner: 'Ada' }));
      expect(error).toMatchObject({ outcome: 'not_applied', retryable: true, status: 503 });
      expect(await client.put('profile', newId(), { name: 'Ada' })).toMatchObject({
        cache: 'pending',
      });
    } finally {
      bed.instance.resumeServer('cache');
    }
  });
});

describe('while the coordinator is away', () => {
  test('RP7: hits go on, misses and writes fail with coded errors', async () => {
    const client = await bed.ready({ retries: { maxAttempts: 2 } });
    const id = await cachedRow(client);
    bed.links.coordinator.accept('refuse');
    bed.links.coordinator.reset();
    expect(await client.get('account', id)).toMatchObject({ source: 'cache' });
    expect(await failureOf(client.get('account', newId()))).toMatchObject({
      ...{ code: 'COORDINATOR_UNAVAILABLE', retryable: true, status: 503 },
    });
    const write = await failureOf(client.put('account', newId(), { owner: 'Ada' }));
    expect(['COORDINATOR_UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(
      (write as { code: string }).code,
    );
    bed.links.coordinator.heal();
    expect(await client.put('account', id, { owner: 'Eve' })).toMatchObject({ version: 2 });
  });
});

describe('a server of the cache', () => {
  test('RP1: that was demoted over a living connection answers no read', async () => {
    const client = await bed.ready();
    const ids = [await cachedRow(client), await cachedRow(client), await cachedRow(client)];
    // It still answers GET, with what it has.
    await bed.redis.replicaof('127.0.0.1', '1');
    expect(await bed.redis.get(`account:${ids[0]}`)).toContain('Ada');
    const reads = await heard('lockstep:read', async () => {
      expect(await client.get('account', ids[0] ?? 0)).toMatchObject({ version: 1 });
      expect(await client.getMany('account', ids)).toMatchObject(ids.map(() => ({ version: 1 })));
    });
    expect(reads.map(({ from }) => from)).toEqual(['coordinator', ...ids.map(() => 'coordinator')]);
    await bed.redis.replicaof('NO', 'ONE');
    await eventually(async () =>
      expect(await client.get('account', ids[0] ?? 0)).toMatchObject({ source: 'cache' }),
    );
  });

  test('RP1: that was demoted fails a read of many keys as a whole', async () => {
    const client = await bed.ready();
    const ids = [await cachedRow(client), await cachedRow(client)];
    await bed.redis.replicaof('127.0.0.1', '1');
    const reads = await heard('lockstep:read', () => client.getMany('account', ids));
    expect(reads).toMatchObject(ids.map(() => ({ from: 'coordinator', reason: 'unread' })));
  });

  test('RP1: that the coordinators do not use is not read, whatever it holds', async () => {
    const owner = await bed.ready();
    const id = await cachedRow(owner);
    const entry = (await bed.redis.get(`account:${id}`)) ?? '';
    const other = await startRedis();
    const copy = new Redis(other.url);
    try {
      await copy.set(`account:${id}`, entry.replace('Ada', 'Old'));
      const client = bed.client({ redis: other.url });
      expect(await failureOf(client.ready({ timeoutMs: 1_000 }))).toMatchObject({
        message: expect.stringContaining('not the cache that the coordinators use') as string,
      });
      expect(await client.get('account', id)).toMatchObject({ value: { owner: 'Ada' } });
      await copy.set('lockstep:server', (await bed.redis.get('lockstep:server')) ?? '');
      await client.ready({ timeoutMs: 10_000 });
      expect(await client.get('account', id)).toMatchObject({ value: { owner: 'Old' } });
      await client.close();
    } finally {
      copy.disconnect();
      await other.stop();
    }
  });

  test('RP1: that its caller reads from replicas is refused', () => {
    const { url } = bed.instance;
    const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], {
      ...{ lazyConnect: true, scaleReads: 'slave' },
    });
    const redis = new Redis({
      lazyConnect: true,
      role: 'slave',
      sentinels: [{ port: 1 }],
      name: 'a',
    });
    expect(() => createClient({ url, redis: cluster })).toThrow(/must not read from replicas/);
    expect(() => createClient({ url, redis })).toThrow(/must not read from replicas/);
    cluster.disconnect();
    redis.disconnect();
  });

  test('that its caller has a connection to is read over one of the client’s own', async () => {
    const theirs = new Redis(bed.instance.runtime.cacheUrl, { keyPrefix: 'app:' });
    try {
      const client = await bed.ready({ redis: theirs });
      await cachedRow(client);
      await client.close();
      expect(await theirs.set('still', 'usable')).toBe('OK');
    } finally {
      theirs.disconnect();
    }
  });
});

describe('a closed client', () => {
  test('has answered what was in flight, and refuses what comes later', async () => {
    const client = await bed.ready();
    const id = newId();
    const write = client.put('account', id, { owner: 'Ada' });
    await client.close();
    expect(await write).toMatchObject({ version: 1 });
    expect(await failureOf(client.get('account', id))).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(client.put('account', id, {}))).toMatchObject({ code: 'CLOSED' });
  });
});
