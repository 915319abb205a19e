import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { resource } from '@lockstep/testkit/doubles/resource';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { CacheKeyTemplate, entryOwner, invalidationStream } from '../domain/index.ts';
import { RedisGenerations } from '../refreshes/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { CacheConnection, InvalidationStreams, RedisEntryStore, sweepEntries } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const local = resource({ policy: 'delete-after-write', level: 'local' });
const STREAM = invalidationStream('c1', local.name);

let server: TestRedis;
let connection: CacheConnection;
let behind: Redis;
let store: RedisEntryStore;
let streams: InvalidationStreams;
const resources = new Map([[local.name, local]]);

beforeAll(async () => {
  server = await startRedis();
  behind = new Redis(server.url);
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 5_000, runtime });
  await connection.ready(10_000);
  store = new RedisEntryStore(
    connection,
    {
      ...{ leaseTtlMs: 3_000, tombstoneTtlMs: 60_000, isEntryKey: () => true },
      ownerOf: () => entryOwner('c1', local),
    },
    runtime,
  );
  streams = new InvalidationStreams({
    ...{ connection, cluster: 'c1', resources, isCacheable: () => true, runtime },
  });
});

beforeEach(async () => {
  await streams.stop();
  resources.set(local.name, local);
  await behind.flushall();
});

afterAll(async () => {
  await streams.stop();
  connection.close();
  behind.disconnect();
  await server.stop();
});

type Message = [id: string, fields: string[]];
const messages = async (): Promise<Message[]> => behind.xrange(STREAM, '-', '+');
/** What the messages say, without the names of their fields' chain; the first begins the stream. */
const told = async (): Promise<string[][]> =>
  (await messages()).slice(1).map(([, [, , ...fields]]) => fields);
const keep = async (): Promise<void> => {
  streams.start();
  await eventually(async () => expect(await behind.exists(STREAM)).toBe(1));
  await streams.stop();
};
const putValue = async (cacheKey: string, version: number): Promise<string> => {
  await store.leaseOrRead(cacheKey, 'one');
  const value = { version, row: { id: 1 }, ttlMs: 60_000 };
  expect(await store.fill(cacheKey, 'one', value)).toBe('filled');
  return (await behind.get(cacheKey)) ?? '';
};

describe('an invalidation stream', () => {
  it('D17: has a message for each invalidation, whatever stood in the cache', async () => {
    await keep();
    await store.invalidate('account:gone', 3);
    await putValue('account:same', 5);
    expect(await store.invalidate('account:same', 5)).toBe('fresh');
    const text = await putValue('account:audited', 1);
    expect(await store.invalidateIfUnchanged('account:audited', text)).toBe(true);
    expect(await store.invalidateIfUnchanged('account:audited', text)).toBe(false);
    expect(await told()).toEqual([
      ['k', 'account:gone'],
      ['k', 'account:same'],
      ['k', 'account:audited'],
      ['k', 'account:audited'],
    ]);
  });

  it('D17: has one message for the invalidations of one command, and each names the one before it', async () => {
    await keep();
    const keys = Array.from({ length: 250 }, (_, n) => `account:${n}`);
    await store.invalidateMany(keys.map((cacheKey) => ({ cacheKey, version: null })));
    const named = (await told()).flat().filter((field) => field !== 'k');
    expect(named).toEqual(keys);
    const all = await messages();
    expect(all.length).toBeLessThan(10);
    expect(all.map(([, [name, before]]) => [name, before])).toEqual(
      all.map((_, index) => ['p', all[index - 1]?.[0] ?? '0-0']),
    );
  });

  it('D17: an invalidation whose message cannot be written has failed', async () => {
    await keep();
    await behind.call('ACL', 'SETUSER', 'default', '-xadd');
    try {
      const [result] = await store.invalidateMany([{ cacheKey: 'account:1', version: 1 }]);
      expect(result).toMatchObject({ code: 'CACHE_UNAVAILABLE' });
    } finally {
      await behind.call('ACL', 'SETUSER', 'default', '+xadd');
    }
    await eventually(async () =>
      expect(await store.invalidateMany([{ cacheKey: 'account:1', version: 1 }])).toEqual([
        'invalidated',
      ]),
    );
  });

  it('D17: is not begun by an invalidation, and is written also by one who has not heard of it', async () => {
    await store.invalidate('account:1', 1);
    expect(await behind.exists(STREAM)).toBe(0);
    await keep();
    resources.set(local.name, { ...local, level: 'redis' });
    await store.invalidate('account:1', 2);
    expect(await told()).toEqual([['k', 'account:1']]);
  });

  it('something else at its key is removed', async () => {
    await behind.set(STREAM, 'x');
    expect(await store.invalidate('account:1', 1)).toBe('invalidated');
    expect(await behind.exists(STREAM)).toBe(0);
    await behind.set(STREAM, 'x');
    streams.start();
    await eventually(async () => expect(await behind.type(STREAM)).toBe('stream'));
  });

  it('is bounded', async () => {
    await keep();
    await Promise.all(
      Array.from({ length: 120 }, (_, n) =>
        behind.eval(
          "for n = 1, 100 do redis.call('XADD', KEYS[1], '*', 'p', '0-0', 'k', ARGV[1]) end",
          1,
          STREAM,
          `account:${n}`,
        ),
      ),
    );
    await store.invalidate('account:1', 1);
    expect(await behind.xlen(STREAM)).toBeLessThan(10_500);
  });

  it('D17: a sweep tells to forget all, when it has removed what it found', async () => {
    await keep();
    await putValue('account:1', 1);
    const entries = new CacheKeyTemplate('account:{id}');
    await sweepEntries(connection, [{ resource: 'account', entries, plain: [] }], runtime.timers);
    expect(await behind.get('account:1')).toContain('"s":"tombstone"');
    expect(await told()).toEqual([['a', '1']]);
    await streams.forget(['account', 'other']);
    expect(await told()).toHaveLength(2);
  });

  it('D17: a refresh tells to forget all, in the step that replaces the entries', async () => {
    await keep();
    const owner = entryOwner('c1', local);
    const generations = new RedisGenerations(connection, () => owner);
    const begun = await generations.begin(local);
    const entries = [{ cacheKey: 'account:1', version: 1, row: { id: 1 } }];
    expect(await generations.swap(local, { begun, entries, lifeMs: 60_000 })).toBe(0);
    expect(await told()).toEqual([['a', '1']]);
  });

  it('is kept for resources of level local while they may be cached, and removed for strict ones', async () => {
    await keep();
    expect(await behind.pttl(STREAM)).toBeGreaterThan(60_000);
    resources.set(local.name, { ...local, policy: 'strict', level: 'redis' });
    streams.start();
    await eventually(async () => expect(await behind.exists(STREAM)).toBe(0));
  });

  it('that a switch has ended is begun again only by a coordinator that has heard of the switch', async () => {
    await keep();
    await streams.end([{ resource: local.name, epoch: 2 }]);
    await store.invalidate('account:1', 1);
    resources.set('note', { ...local, name: 'note' });
    streams.start();
    await eventually(async () =>
      expect(await behind.exists(STREAM.replace('account', 'note'))).toBe(1),
    );
    expect(await behind.exists(STREAM)).toBe(0);
    await streams.stop();
    resources.set(local.name, { ...local, epoch: 2 });
    await keep();
    expect((await messages()).map(([, fields]) => fields)).toEqual([['p', '0-0', 'a', '1']]);
  });
});
