import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { CacheConnection, RedisEntryStore } from './index.ts';
import { startRefusingRedis } from './testing/refusing-redis.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface Line {
  level: string;
  fields: object;
  text: string;
}

function open(url: string): { connection: CacheConnection; store: RedisEntryStore; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, text: string) => {
    lines.push({ level, fields, text });
  };
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const runtime = systemRuntime(log);
  const connection = new CacheConnection({ url, commandTimeoutMs: 500, runtime });
  ending.push(() => connection.close());
  const options = { leaseTtlMs: 3_000, tombstoneTtlMs: 60_000, isEntryKey: () => true };
  return { connection, store: new RedisEntryStore(connection, options, runtime), lines };
}

/** Every kind of step, each as its own caller would meet it. */
const steps = (store: RedisEntryStore): Promise<unknown>[] => [
  store.read('a:1'),
  store.leaseOrRead('a:1', 'lease'),
  store.placeIntent('a:1', 'intent', 0),
  store.invalidate('a:1', null),
  store.invalidateMany([{ cacheKey: 'a:1', version: null }]).then(([result]) => {
    if (result instanceof Error) throw result;
  }),
];

async function expectAway(store: RedisEntryStore): Promise<void> {
  for (const step of steps(store)) {
    await expect(step).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
      outcome: 'not_applied',
      retryable: true,
    });
  }
}

const warnings = (lines: Line[]): Line[] => lines.filter(({ level }) => level === 'warn');

describe('any error reply of the cache', () => {
  it.each([
    'NOREPLICAS Not enough good replicas to write.',
    "NOPERM User app has no permissions to run the 'evalsha' command",
    'MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk',
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    'LOADING Redis is loading the dataset in memory',
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
    'CLUSTERDOWN The cluster is down',
    'MOVED 1234 10.0.0.7:6379',
    'TRYAGAIN Multiple keys request during rehashing of slot',
    'NOAUTH Authentication required.',
    'WRONGPASS invalid username-password pair or user is disabled.',
    'ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.',
    "ERR unknown command 'evalsha', with args beginning with: 'abc' '1' 'a:secret-4711'",
    'ERR max number of clients reached',
    'ERR DB index is out of range',
    'UNBLOCKED client unblocked',
    'QUOTA you have used it all',
    'something that nobody knows yet',
  ])('is "cache away", named once, and over when it is answered again: %s', async (reply) => {
    const server = await startRefusingRedis();
    ending.push(() => server.stop());
    const { connection, store, lines } = open(server.url);
    await connection.ready(5_000);
    lines.length = 0;
    server.refuse(reply);
    await expectAway(store);
    await expect.poll(() => connection.up).toBe(false);
    await expectAway(store);
    await expect.poll(() => connection.fault).toContain(`it refuses: ${reply.slice(0, 8)}`);
    // It is probed a few more times without any caller.
    const { connections } = server;
    await connection.check();
    await connection.check();
    expect(connection.up).toBe(false);
    const told = warnings(lines).map(({ fields }) => JSON.stringify(fields));
    expect(new Set(told).size).toBe(told.length);
    expect(told.join()).toContain(reply.slice(0, 8));
    expect(JSON.stringify(lines) + String(connection.fault)).not.toMatch(/4711|10\.0\.0\.7/);
    server.refuse(null);
    await connection.ready(5_000);
    expect(connection.fault).toBeNull();
    expect(await store.read('a:1')).toBeNull();
    expect(server.connections).toBeGreaterThanOrEqual(connections);
  });

  it('that only one command meets leaves the cache up for the others', async () => {
    const server = await startRefusingRedis();
    ending.push(() => server.stop());
    const { connection, store, lines } = open(server.url);
    await connection.ready(5_000);
    lines.length = 0;
    server.refuse("NOPERM User app has no permissions to run the 'pttl' command", ['pttl']);
    await expect(store.ttlMs('a:1')).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' });
    await connection.check();
    expect(await store.read('a:1')).toBeNull();
    expect(connection.refusals).toEqual(new Map([['NOPERM', 1]]));
    expect(warnings(lines)).toEqual([]);
  });
});

describe('on a real server', () => {
  async function server(args: readonly string[] = []): Promise<TestRedis> {
    const started = await startRedis({ args });
    ending.push(() => started.stop());
    return started;
  }
  function admin(url: string): Redis {
    const client = new Redis(url);
    client.on('error', () => {});
    ending.push(() => client.disconnect());
    return client;
  }

  it.each([
    ['replicas that are missing', 'min-replicas-to-write', '1', '0', 'NOREPLICAS'],
    ['memory that is used up', 'maxmemory', '1', '0', 'OOM'],
  ])('%s: away, and back without a caller', async (_, setting, bad, good, word) => {
    const { url } = await server(['--maxmemory-policy', 'noeviction']);
    const { connection, store } = open(url);
    await connection.ready(5_000);
    const control = admin(url);
    await control.config('SET', setting, bad);
    await expect(store.placeIntent('a:1', 'intent', 0)).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    });
    await expect.poll(() => connection.fault).toContain(word);
    await control.config('SET', setting, good);
    await expect.poll(() => connection.up).toBe(true);
  });

  it('a user who may run no scripts is found by the first probe', async () => {
    const { url } = await server();
    await admin(url).call('ACL', 'SETUSER', 'few', 'on', '>pw', '~*', '&*', '+@all', '-@scripting');
    const { connection, store } = open(url.replace('redis://', 'redis://few:pw@'));
    await expect.poll(() => connection.fault).toMatch(/NOPERM/);
    await expect(store.read('a:1')).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' });
  });

  it('a password that was changed is named, and taken when it is the old one again', async () => {
    const { url } = await server();
    const control = admin(url);
    await control.call('ACL', 'SETUSER', 'app', 'on', '>old', '~*', '&*', '+@all');
    const { connection } = open(url.replace('redis://', 'redis://app:old@'));
    await connection.ready(5_000);
    await control.call('ACL', 'SETUSER', 'app', 'resetpass', '>new');
    await control.call('CLIENT', 'KILL', 'USER', 'app');
    await expect.poll(() => connection.fault).toMatch(/WRONGPASS|NOAUTH/);
    await control.call('ACL', 'SETUSER', 'app', '>old');
    await expect.poll(() => connection.up).toBe(true);
  });

  it('R8: a demoted master answers no read at all, and its name is followed to the new one', async () => {
    const [old, promoted] = await Promise.all([server(), server()]);
    const name = await startName(old.port);
    const { connection, store, lines } = open(name.url);
    await connection.ready(5_000);
    const intent = await store.placeIntent('a:1', 'intent', 0);
    await store.publish('a:1', intent, 1, { version: 1, row: { id: 1 }, ttlMs: 60_000 });
    name.target = promoted.port;
    await admin(old.url).replicaof('127.0.0.1', promoted.port);
    // The first read after the demotion: nothing before it could have noticed.
    await expect(store.read('a:1')).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' });
    await expect(store.leaseOrRead('a:1', 'lease')).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    });
    await expect.poll(() => connection.up).toBe(true);
    expect(await store.read('a:1')).toBeNull();
    expect((await store.placeIntent('a:1', 'intent-2', 0)).fence).toBeGreaterThan(intent.fence);
    await expect
      .poll(() => lines.some(({ text }) => text.startsWith('the cache is a different server')))
      .toBe(true);
  });

  it('R8: no script of a step runs on a replica, also where it would only read', async () => {
    const [primary, replica] = await Promise.all([server(), server()]);
    const { connection, store } = open(primary.url);
    await connection.ready(5_000);
    const intent = await store.placeIntent('a:1', 'intent', 0);
    await admin(primary.url).replicaof('127.0.0.1', replica.port);
    await expect(store.intentAgeMs('a:1', intent)).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    });
  });

  it('a replica that takes writes is left by its role', async () => {
    const [primary, replica] = await Promise.all([server(), server()]);
    const { connection } = open(primary.url);
    await connection.ready(5_000);
    const control = admin(primary.url);
    await control.config('SET', 'replica-read-only', 'no');
    await control.replicaof('127.0.0.1', replica.port);
    await connection.check();
    expect(connection.fault).toMatch(/READONLY it is a slave/);
  });
});

/** Plays a host name: new connections go to its present target port, existing ones stay. */
async function startName(port: number): Promise<{ url: string; target: number }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(name.target, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  const name = { url: `redis://127.0.0.1:${own}`, target: port };
  ending.push(() => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  });
  return name;
}
