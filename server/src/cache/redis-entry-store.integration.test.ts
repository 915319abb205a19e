import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockstepError } from '../domain/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '../testing/index.ts';
import { describeEntryStore } from './entry-store.conformance.ts';
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
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 300, runtime });
  await connection.ready(10_000);
  store = new RedisEntryStore(connection, {
    leaseTtlMs: 3_000,
    tombstoneTtlMs: 60_000,
    isEntryKey: (cacheKey) => cacheKey.startsWith('account:'),
  });
});

afterAll(async () => {
  connection.close();
  behind.disconnect();
  await server.stop();
});

describeEntryStore('RedisEntryStore', () => ({
  store,
  text: (cacheKey) => behind.get(cacheKey),
  put: async (cacheKey, text) => {
    await behind.set(cacheKey, text);
  },
}));

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
    await expect.poll(() => store.available, { timeout: 5_000 }).toBe(true);
    expect(await store.read('account:none')).toBeNull();
  });

  it('heals after the server was killed and started again', async () => {
    await server.kill();
    await expect.poll(() => store.available, { timeout: 5_000 }).toBe(false);
    await server.restart();
    await expect.poll(() => store.available, { timeout: 5_000 }).toBe(true);
    expect((await store.placeIntent('account:again', 'a', 0)).fence).toBeGreaterThan(0);
  });
});
