import { encodeEntry, type Entry } from '@lockstep/shared';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from '../domain/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { CacheConnection, RedisEntryStore, sweepEntries, type SweepTarget } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const template = (text: string): CacheKeyTemplate => new CacheKeyTemplate(text);
const ACCOUNT: SweepTarget = {
  resource: 'account',
  entries: template('account:{id}'),
  plain: [template('owner:{owner}:accounts')],
};
const SLOW: SweepTarget = { resource: 'slow', entries: null, plain: [template('slow:{id}')] };

describe('a sweep of the entries', () => {
  let server: TestRedis;
  let connection: CacheConnection;
  let store: RedisEntryStore;
  let behind: Redis;
  const sweep = (...targets: SweepTarget[]) => sweepEntries(connection, targets, runtime.timers);
  /** Puts an entry that was written long ago, with a version that the database does not have. */
  const put = (cacheKey: string, entry: Entry): Promise<unknown> =>
    behind.set(cacheKey, encodeEntry(entry));
  const old = { version: 900, fence: 5, writtenAtMs: 1 };

  beforeAll(async () => {
    server = await startRedis();
    behind = new Redis(server.url);
    connection = new CacheConnection({ url: server.url, commandTimeoutMs: 5_000, runtime });
    await connection.ready(10_000);
    store = new RedisEntryStore(
      connection,
      { leaseTtlMs: 3_000, tombstoneTtlMs: 60_000, isEntryKey: () => true },
      runtime,
    );
  });
  afterAll(async () => {
    connection.close();
    behind.disconnect();
    await server.stop();
  });
  beforeEach(() => behind.flushall());

  it('removes values, leases, tombstones and what is corrupt, whatever their version', async () => {
    await put('account:1', { state: 'value', ...old, row: { id: 1 } });
    await put('account:2', { state: 'lease', ...old, leaseId: 'a' });
    await put('account:3', { state: 'tombstone', ...old });
    await behind.set('account:4', 'rubbish');
    await behind.rpush('account:5', 'a list');
    expect(await sweep(ACCOUNT)).toEqual({ resources: ['account'], removed: 5, intents: 0 });
    expect(await behind.dbsize()).toBe(0);
    const lease = await store.leaseOrRead('account:1', 'b');
    expect(lease).toEqual({ state: 'leased', leastVersion: 0 });
    expect(await store.fill('account:1', 'b', { version: 3, row: { id: 1 }, ttlMs: 9_000 })).toBe(
      'filled',
    );
  });

  it('leaves write intents, and keys that are not of the resources', async () => {
    await put('account:1', { state: 'intent', ...old, intentId: 'i', marked: false });
    await put('account:2', { state: 'value', ...old, row: null });
    await put('accounts:2', { state: 'value', ...old, row: null });
    await behind.set('slow:1', '{}');
    await behind.set('owner:ann:accounts', 'list');
    await behind.set('lockstep:lock:account:1', 'x');
    expect(await sweep(ACCOUNT)).toEqual({ resources: ['account'], removed: 2, intents: 1 });
    const left = (await behind.keys('*')).toSorted();
    expect(left).toEqual(['account:1', 'accounts:2', 'lockstep:lock:account:1', 'slow:1']);
    expect(await sweep(SLOW)).toMatchObject({ removed: 1 });
    expect(await behind.exists('slow:1')).toBe(0);
  });

  it('leaves a mark, which any version may follow, where something was written a moment ago', async () => {
    const intent = await store.placeIntent('account:1', 'i', 0);
    await store.publish('account:1', intent, 900, { version: 900, row: { id: 1 }, ttlMs: 60_000 });
    await store.leaseOrRead('account:2', 'before');
    await store.invalidate('account:3', 900);
    expect(await sweep(ACCOUNT)).toMatchObject({ removed: 3 });
    for (const id of [1, 2, 3])
      expect((await store.read(`account:${id}`))?.entry).toMatchObject({
        state: 'tombstone',
        version: 0,
      });
    expect(await store.fill('account:2', 'before', { version: 9, row: null, ttlMs: 9_000 })).toBe(
      'refused',
    );
    // A second sweep finds nothing to remove.
    expect(await sweep(ACCOUNT)).toMatchObject({ removed: 0 });
    await store.leaseOrRead('account:1', 'after');
    expect(await store.fill('account:1', 'after', { version: 3, row: null, ttlMs: 9_000 })).toBe(
      'filled',
    );
  });

  it('goes by all keys in bounded steps', async () => {
    const pipeline = behind.pipeline();
    for (let id = 0; id < 20_000; id += 1)
      pipeline.set(`account:${id}`, encodeEntry({ state: 'value', ...old, row: { id } }));
    await pipeline.exec();
    expect(await sweep(ACCOUNT, SLOW)).toEqual({
      resources: ['account', 'slow'],
      removed: 20_000,
      intents: 0,
    });
    expect(await behind.dbsize()).toBe(0);
  });
});
