import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockstepError } from '../domain/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { describeEntrySteps } from './entry-steps.conformance.ts';
import { describeEntryStore, type EntryStoreFixture } from './entry-store.conformance.ts';
import { CacheConnection, RedisEntryScanner, RedisEntryStore } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);

let server: TestRedis;
let connection: CacheConnection;
let behind: Redis;
let store: RedisEntryStore;

beforeAll(async () => {
  server = await startRedis();
  behind = new Redis(server.url);
  behind.on('error', () => {});
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 2_000, runtime });
  await connection.ready(10_000);
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
  behind.disconnect();
  await server.stop();
});

const fixture = (): EntryStoreFixture => ({
  store,
  text: (cacheKey) => behind.get(cacheKey),
  put: async (cacheKey, text) => {
    await behind.set(cacheKey, text);
  },
});
describeEntryStore('RedisEntryStore', fixture);
describeEntrySteps('RedisEntryStore', fixture);

async function commandsSeen(command: string): Promise<number> {
  const stats = await behind.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('RedisEntryStore on a real server', () => {
  it('reads a list under an entry key as corrupt and heals it', async () => {
    await behind.rpush('account:list', 'x');
    expect((await store.read('account:list'))?.entry.state).toBe('corrupt');
    expect(await store.invalidate('account:list', 2)).toBe('invalidated');
    expect((await store.read('account:list'))?.entry).toMatchObject({
      state: 'tombstone',
      version: 2,
    });
  });

  it('finds its scripts again after the server forgot them', async () => {
    await behind.script('FLUSH');
    expect((await store.placeIntent('account:forgot', 'a', 0)).fence).toBeGreaterThan(0);
  });

  it('carries out calls of one moment in their order, with few commands, each for itself', async () => {
    const length = 250;
    const keys = Array.from({ length }, (_, index) => `account:crowd-${index}`);
    const warm = await store.placeIntent('account:warm', 'a', 0);
    await store.publish('account:warm', warm, 1, null);
    await behind.config('RESETSTAT');
    const intents = await Promise.all(keys.map((cacheKey) => store.placeIntent(cacheKey, 'a', 0)));
    expect(await commandsSeen('evalsha')).toBeLessThan(10);
    const both = await Promise.all(
      keys.flatMap((cacheKey, index) => {
        const intent = intents[index];
        if (intent === undefined) throw new Error('no intent');
        return [
          store.publish(cacheKey, intent, 1, { version: 1, row: { id: index }, ttlMs: 60_000 }),
          store.placeIntent(cacheKey, 'b', 0),
        ];
      }),
    );
    expect(both.filter((answer) => answer === 'fresh')).toHaveLength(length);
    expect((await store.read('account:crowd-7'))?.entry).toMatchObject({ intentId: 'b' });
  });

  it('lets no call fail for another one of its round', async () => {
    const leases = [1, 2, 3].map((n) => store.leaseOrRead(`account:round-${n}`, `lease-${n}`));
    await Promise.all(leases);
    const fills = [1, 2, 3].map((n) => {
      // A negative TTL is refused.
      const value = { version: 1, row: { id: n }, ttlMs: n === 2 ? -1 : 60_000 };
      return store.fill(`account:round-${n}`, `lease-${n}`, value).catch(String);
    });
    const answers = await Promise.all(fills);
    expect(answers).toEqual(['filled', expect.stringContaining('invalid expire'), 'filled']);
    expect(store.available).toBe(true);
  });

  it('samples only keys of a prefix, and sweeps all with their TTLs', async () => {
    const scanner = new RedisEntryScanner(connection);
    await behind.set('account:[a*b]1', 'x', 'PX', 60_000);
    await behind.set('other:1', 'x');
    expect(await scanner.sample('account:[a*b]', 10)).toEqual(['account:[a*b]1']);
    const seen = new Map<string, number | null>();
    for (let cursor: string | null = null; ;) {
      const page = await scanner.scan(cursor, 100);
      for (const { cacheKey, ttlMs } of page.keys) seen.set(cacheKey, ttlMs);
      if (page.next === null) break;
      cursor = page.next;
    }
    expect(seen.get('other:1')).toBeNull();
    expect(seen.get('account:[a*b]1')).toBeGreaterThan(0);
  });

  it('fails each step at once while the server hangs, and heals when it answers', async () => {
    server.pause();
    const attempts = await Promise.allSettled([1, 2, 3, 4].map((n) => store.read(`account:${n}`)));
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'CACHE_UNAVAILABLE' } });
    }
    expect(store.available).toBe(false);
    await expect(store.read('account:1')).rejects.toBeInstanceOf(LockstepError);
    server.resume();
    await expect.poll(() => store.available).toBe(true);
    expect(await store.read('account:none')).toBeNull();
  });

  it('heals after the server was killed and started again', async () => {
    await server.kill();
    await expect.poll(() => store.available).toBe(false);
    await server.restart();
    await expect.poll(() => store.available).toBe(true);
    expect((await store.placeIntent('account:again', 'a', 0)).fence).toBeGreaterThan(0);
  });
});
