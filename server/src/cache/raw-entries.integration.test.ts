import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { CacheConnection, RedisEntryStore } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const KEY = 'page:1';

let server: TestRedis;
let connection: CacheConnection;
let behind: Redis;
let store: RedisEntryStore;

beforeAll(async () => {
  server = await startRedis();
  behind = new Redis(server.url);
  behind.on('error', () => {});
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 5_000, runtime });
  await connection.ready(10_000);
  const options = {
    leaseTtlMs: 3_000,
    tombstoneTtlMs: 60_000,
    isEntryKey: (cacheKey: string) => cacheKey.startsWith('account:'),
    isRaw: (cacheKey: string) => cacheKey.startsWith('page:'),
  };
  store = new RedisEntryStore(connection, options, runtime);
});

beforeEach(() => behind.flushall());

afterAll(async () => {
  connection.close();
  behind.disconnect();
  await server.stop();
});

describe('raw entries', () => {
  it('are plain JSON of the row with a life, filled without a lease (P2)', async () => {
    expect(await store.leaseOrRead(KEY, 'lease')).toEqual({ state: 'leased', leastVersion: 0 });
    expect(await behind.exists(KEY)).toBe(0);
    const value = { version: 7, row: { id: 1, title: 'é' }, ttlMs: 5_000 };
    expect(await store.fill(KEY, 'any', value)).toBe('filled');
    expect(await behind.get(KEY)).toBe('{"id":1,"title":"é"}');
    expect(await store.ttlMs(KEY)).toBeGreaterThan(4_000);
    const found = await store.leaseOrRead(KEY, 'other');
    expect(found).toMatchObject({
      state: 'found',
      stored: { isRaw: true, entry: { state: 'value', row: value.row, version: 0 } },
    });
  });

  it('do not hold the absence of a row, and read another program’s null as one (P2)', async () => {
    expect(await store.fill(KEY, 'any', { version: 1, row: null, ttlMs: 5_000 })).toBe('refused');
    expect(await store.read(KEY)).toBeNull();
    await behind.set(KEY, 'null');
    expect((await store.read(KEY))?.entry).toMatchObject({ state: 'value', row: null });
  });

  it('are deleted whatever version an invalidation names (P2)', async () => {
    await behind.mset(KEY, '{"id":1}', 'page:2', '{"id":2}', 'account:1', 'x');
    const items = [KEY, 'account:1', 'page:2'].map((cacheKey) => ({ cacheKey, version: 3 }));
    expect(await store.invalidateMany(items)).toEqual([
      'invalidated',
      'invalidated',
      'invalidated',
    ]);
    expect(await behind.exists(KEY, 'page:2')).toBe(0);
    expect((await store.read('account:1'))?.entry).toMatchObject({
      state: 'tombstone',
      version: 3,
    });
  });

  it('are repaired only as the very text that was seen (P2)', async () => {
    await behind.set(KEY, '{"id":1,"n":1}');
    expect(await store.invalidateIfUnchanged(KEY, '{"id":1,"n":0}')).toBe(false);
    expect(await behind.exists(KEY)).toBe(1);
    expect(await store.invalidateIfUnchanged(KEY, '{"id":1,"n":1}')).toBe(true);
    expect(await behind.exists(KEY)).toBe(0);
  });

  it('read what is no row as corrupt, which a reader replaces and a repair removes (P2)', async () => {
    for (const text of ['x', '[1]', '7', '{"s":"value","v":1,"f":0,"t":0}\n{"id":1}']) {
      await behind.set(KEY, text);
      const [stored] = await store.readMany([KEY]);
      expect(stored?.entry.state, text).toBe('corrupt');
      expect((await store.leaseOrRead(KEY, 'lease')).state).toBe('leased');
    }
    await behind.del(KEY);
    await behind.rpush(KEY, 'x');
    const stored = await store.read(KEY);
    expect(stored?.entry.state).toBe('corrupt');
    expect(await store.invalidateIfUnchanged(KEY, stored?.text ?? '?')).toBe(true);
    expect(await behind.exists(KEY)).toBe(0);
  });

  it('have no write intents', async () => {
    await expect(store.placeIntent(KEY, 'a', 0)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(await behind.exists(KEY)).toBe(0);
  });
});
