/** The memory of a client on a stream that the test writes itself, so that each moment can be chosen. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { FaultLink } from '@lockstep/testkit/proxy/link';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import type { CachedValue } from '../src/entry-reader.ts';
import { InvalidationConnection } from '../src/invalidation-connection.ts';
import { LocalLevel } from '../src/local-level.ts';
import { waitingClient } from '../src/redis-connection.ts';
import { PROCESS_RUNTIME } from '../src/runtime.ts';
import { listenTo } from './support/heard.ts';
import { stubResource } from './support/stub-coordinator.ts';

const STREAM = 'lockstep:invalidations:c1/profile';
const profile = stubResource({
  ...{ name: 'profile', isStrict: false, level: 'local', stream: STREAM },
  ...{ policy: 'delete-after-write', cacheKey: 'profile:{id}' },
});
const VALUE: CachedValue = { version: 1, row: { text: '{"id":1}' } };
const heard = listenTo('lockstep:local');

let server: TestRedis;
let redis: Redis;
let link: FaultLink;
let level: LocalLevel;

/** Appends a message as the coordinators do. */
async function append(...fields: string[]): Promise<string> {
  const [newest] = await redis.xrevrange(STREAM, '+', '-', 'COUNT', 1);
  const id = await redis.xadd(STREAM, '*', 'p', newest?.[0] ?? '0-0', ...fields);
  return id ?? '';
}

interface OpenOptions {
  maxBytes?: number;
  maxLagMs?: number;
  redisTimeoutMs?: number;
  serverId?: () => string | null;
}

function open(options: OpenOptions = {}): LocalLevel {
  const { maxBytes = 1_000_000, maxLagMs = 20_000 } = options;
  const { redisTimeoutMs = 5_000, serverId = () => 'cache-1' } = options;
  const connect = waitingClient(`redis://127.0.0.1:${link.port}`);
  if (connect === null) throw new Error('It is no Cluster');
  level = new LocalLevel({
    ...{ maxBytes, maxLagMs, runtime: PROCESS_RUNTIME },
    connect: (waitMs) =>
      new InvalidationConnection({
        client: connect(waitMs + redisTimeoutMs),
        ...{ serverId, waitMs },
      }),
  });
  level.catalogRefreshed([profile]);
  return level;
}

function read(cacheKey: string): CachedValue | undefined {
  const fill = level.begin('profile', cacheKey);
  if (fill !== null) {
    level.keep(fill, VALUE, 50, 60_000);
    level.end(fill);
  }
  return level.find(cacheKey);
}

/** Keeps the value at this cache key, once the stream is followed. */
const kept = (cacheKey: string): Promise<void> =>
  eventually(() => expect(read(cacheKey)).toEqual(VALUE), { everyMs: 5 });
const forgotten = (cacheKey: string): Promise<void> =>
  eventually(() => expect(level.find(cacheKey)).toBeUndefined(), { everyMs: 5 });
const whys = (): string[] =>
  heard.flatMap((event) => (event.event === 'emptied' ? [event.why] : []));

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  link = await FaultLink.open({ targetPort: Number(new URL(server.url).port) });
});

beforeEach(async () => {
  heard.length = 0;
  await redis.flushall();
  await redis.set('lockstep:server', 'cache-1');
  await append('a', '1');
});

afterEach(() => {
  level.close();
  link.heal();
});

afterAll(async () => {
  await link.close();
  redis.disconnect();
  await server.stop();
});

describe('values in memory', () => {
  test('RP15: a message takes away what it names, and nothing else', async () => {
    open();
    await kept('profile:1');
    await kept('profile:2');
    await append('k', 'profile:1', 'k', 'profile:3');
    await forgotten('profile:1');
    expect(level.find('profile:2')).toEqual(VALUE);
    expect(whys()).toEqual([]);
    await append('a', '1');
    await forgotten('profile:2');
    expect(whys()).toEqual(['told']);
  });

  test('D15, RP17: a value that was invalidated while it was read is not kept', async () => {
    open();
    await kept('profile:2');
    const early = level.begin('profile', 'profile:1');
    const also = level.begin('profile', 'profile:1');
    await append('k', 'profile:1', 'k', 'profile:2');
    await forgotten('profile:2');
    const late = level.begin('profile', 'profile:1');
    if (early === null || also === null || late === null) throw new Error('It is not followed');
    for (const fill of [early, also]) {
      level.keep(fill, VALUE, 50, 60_000);
      level.end(fill);
    }
    expect(level.find('profile:1')).toBeUndefined();
    const newer = { ...VALUE, version: 2 };
    level.keep(late, newer, 50, 60_000);
    level.end(late);
    expect(level.find('profile:1')).toEqual(newer);
  });

  test('D15: nor is one that was asked for before all was forgotten', async () => {
    open();
    await kept('profile:2');
    const fill = level.begin('profile', 'profile:1');
    await append('a', '1');
    await forgotten('profile:2');
    if (fill !== null) level.keep(fill, VALUE, 50, 60_000);
    expect(level.find('profile:1')).toBeUndefined();
  });

  test('D16: do not outlive their entry', async () => {
    open();
    await kept('profile:1');
    const fill = level.begin('profile', 'profile:2');
    if (fill === null) throw new Error('It is not followed');
    level.keep(fill, VALUE, 50, 0);
    expect(level.find('profile:2')).toBeUndefined();
    level.keep(fill, VALUE, 50, 100);
    await forgotten('profile:2');
    expect(level.find('profile:1')).toEqual(VALUE);
  });

  test('RP16: a message that was missed empties it', async () => {
    open();
    await kept('profile:1');
    const [newest] = await redis.xrevrange(STREAM, '+', '-', 'COUNT', 1);
    const last = newest?.[0] ?? '';
    const [ms = ''] = last.split('-');
    await redis
      .multi()
      .xadd(STREAM, `${ms}-100`, 'p', last, 'k', 'profile:1')
      .xdel(STREAM, `${ms}-100`)
      .xadd(STREAM, `${ms}-200`, 'p', `${ms}-100`, 'k', 'profile:9')
      .exec();
    await forgotten('profile:1');
    expect(whys()).toEqual(['gap']);
    await kept('profile:1');
  });

  test.each([
    ['is gone', async () => void (await redis.del(STREAM))],
    ['was trimmed to nothing', async () => void (await redis.xtrim(STREAM, 'MAXLEN', 0))],
    [
      'was begun anew',
      async () => void (await redis.multi().del(STREAM).xadd(STREAM, '9-0', 'p', '0-0').exec()),
    ],
  ])('RP16: a stream that %s empties it', async (_, spoil) => {
    open({ maxLagMs: 4_000 });
    await kept('profile:1');
    await spoil();
    await forgotten('profile:1');
    expect(whys()).toEqual(['gap']);
    await append('a', '1');
    await kept('profile:1');
  });

  test('RP16: a server that is not the coordinators’, or is empty, ends its use', async () => {
    open({ maxLagMs: 4_000 });
    await kept('profile:1');
    await redis.flushall();
    await forgotten('profile:1');
    expect(whys()).toEqual(['disconnected']);
    expect(heard).toContainEqual(
      expect.objectContaining({ reason: 'it is not the cache that the coordinators use' }),
    );
    await append('a', '1');
    await redis.set('lockstep:server', 'cache-1');
    await kept('profile:1');
  });

  test('RP16: a server that has become a replica ends its use', async () => {
    open({ maxLagMs: 4_000 });
    await kept('profile:1');
    await redis.replicaof('127.0.0.1', '1');
    const client = new Redis(server.url);
    const connection = new InvalidationConnection({ client, serverId: () => 'cache-1', waitMs: 1 });
    try {
      await forgotten('profile:1');
      expect(whys()).toEqual(['disconnected']);
      await expect(connection.look([{ stream: STREAM, lastId: null }])).rejects.toThrow('READONLY');
    } finally {
      connection.close();
      await redis.replicaof('NO', 'ONE');
    }
    await kept('profile:1');
  });

  test('RP16: a connection that breaks empties it, and what was invalidated meanwhile is not found', async () => {
    open();
    await kept('profile:1');
    link.accept('refuse');
    link.reset();
    await forgotten('profile:1');
    expect(read('profile:1')).toBeUndefined();
    await append('k', 'profile:1');
    link.heal();
    await kept('profile:1');
    expect(whys()).toEqual(['disconnected']);
  });

  test('D14: a stream that stands still ends its use, also where the connection lives', async () => {
    open({ maxLagMs: 300, redisTimeoutMs: 60_000 });
    await kept('profile:1');
    link.set('down', { stalled: true });
    await forgotten('profile:1');
    expect(whys()).toContain('lag');
    link.heal();
    await kept('profile:1');
  });

  test('D14: a stream that is always late, but never silent, is not trusted', async () => {
    open({ maxLagMs: 300, redisTimeoutMs: 60_000 });
    await kept('profile:1');
    link.set('down', { latencyMs: 400 });
    await forgotten('profile:1');
    const before = heard.length;
    // Each of these looks is answered, so that something is heard all the time.
    await eventually(() => {
      expect(read('profile:1')).toBeUndefined();
      expect(heard.slice(before).filter(({ event }) => event === 'confirmed').length).toBe(3);
    });
    link.heal();
    await kept('profile:1');
  });

  test('RP18: another definition of the resource, or another level, empties it', async () => {
    open();
    await kept('profile:1');
    level.catalogRefreshed([{ ...profile }]);
    expect(level.find('profile:1')).toEqual(VALUE);
    level.catalogRefreshed([{ ...profile, owner: 'c1/profile#000000000000' }]);
    expect(level.find('profile:1')).toBeUndefined();
    await kept('profile:1');
    level.catalogRefreshed([{ ...profile, level: 'redis' }]);
    expect(level.find('profile:1')).toBeUndefined();
    expect(level.begin('profile', 'profile:1')).toBeNull();
    expect(whys()).toEqual(['catalog', 'catalog']);
  });
});
