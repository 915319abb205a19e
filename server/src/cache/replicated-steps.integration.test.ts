import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Redis } from 'ioredis';
import { FaultLink } from '@lockstep/testkit/proxy/link';
import { eventually } from '@lockstep/testkit/poll';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { systemRuntime } from '../runtime/index.ts';
import { CacheConnection, RedisEntryStore } from './index.ts';

const runtime = systemRuntime(silentLog);
const start = () => startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
let master: TestRedis;
let replica: TestRedis;
let other: TestRedis;
let link: FaultLink;
let connection: CacheConnection;
let store: RedisEntryStore;
let keys = 0;
const newKey = (): string => `account:${(keys += 1)}`;

const on = async <T>({ url }: TestRedis, ask: (client: Redis) => Promise<T>): Promise<T> => {
  const client = new Redis(url);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
};
const follow = (server: TestRedis, port: number): Promise<unknown> =>
  on(server, (client) => client.replicaof('127.0.0.1', port));
const part = (): Promise<unknown> => on(replica, (client) => client.replicaof('NO', 'ONE'));
const info = (server: TestRedis): Promise<string> =>
  on(server, (client) => client.info('replication'));
/** The replica has what its master has. */
const synchronized = (): Promise<void> =>
  eventually(async () => expect(await info(replica)).toContain('master_link_status:up'));
const deserted = (): Promise<void> =>
  eventually(async () => expect(await info(master)).toContain('connected_slaves:0'));

/** Cuts all connections, and waits until the coordinator's has been opened again. */
async function reconnected(): Promise<void> {
  const isNoticed = new Promise((resolve) => connection.client.once('close', resolve));
  link.reset();
  await isNoticed;
  await eventually(() => expect(connection.up).toBe(true));
}

beforeAll(async () => {
  [master, replica, other] = await Promise.all([start(), start(), start()]);
  link = await FaultLink.open({ targetPort: master.port });
  await follow(replica, master.port);
  await synchronized();
  connection = new CacheConnection({
    url: `redis://127.0.0.1:${link.port}`,
    ...{ commandTimeoutMs: 2_000, runtime },
  });
  store = new RedisEntryStore(
    connection,
    { leaseTtlMs: 1_000, tombstoneTtlMs: 1_000, isEntryKey: () => true, waitReplicas: 1 },
    runtime,
  );
  await connection.ready(20_000);
});
afterEach(async () => {
  link.heal();
  await follow(replica, master.port);
  await synchronized();
});
afterAll(async () => {
  connection?.close();
  await link?.close();
  await Promise.all([master, replica, other].map((server) => server?.stop()));
});

it('X8: an intent is placed once the replica has it, also where many come at once', async () => {
  const many = Array.from({ length: 250 }, newKey);
  const intents = await Promise.all(
    many.map((key, index) => store.placeIntent(key, `intent-${index}`, 0)),
  );
  expect(new Set(intents.map(({ fence }) => fence > 0))).toEqual(new Set([true]));
  // Read without another WAIT.
  const there = await on(replica, (client) => client.exists(...many));
  expect(there).toBe(many.length);
});

it('X8: an intent that no replica has in time is not placed', async () => {
  await part();
  await deserted();
  await expect(store.placeIntent(newKey(), 'alone', 0)).rejects.toMatchObject({
    code: 'CACHE_UNAVAILABLE',
    message: expect.stringMatching(/^0 of 1 replicas/) as string,
  });
  // Reads and other steps go on.
  expect(connection.up).toBe(true);
  expect(await store.read(newKey())).toBeNull();
});

it('goes on if the server has forgotten the script', async () => {
  await on(master, (client) => client.script('FLUSH'));
  const key = newKey();
  expect((await store.placeIntent(key, 'forgotten', 0)).intentId).toBe('forgotten');
  expect(await on(replica, (client) => client.exists(key))).toBe(1);
});

it('X8: where the connection is lost while it waits, the next server is not asked in place of it', async () => {
  const key = newKey();
  await part();
  await deserted();
  const placing = store.placeIntent(key, 'lost', 0).catch((error: unknown) => error);
  await eventually(async () => expect(await on(master, (client) => client.exists(key))).toBe(1));
  // Another server, whose replica has everything that it has, takes the place of the first.
  await follow(replica, other.port);
  await synchronized();
  link.target(other.port);
  await reconnected();
  expect(await placing).toMatchObject({ code: 'CACHE_UNAVAILABLE' });
  await eventually(() => store.placeIntent(newKey(), 'after', 0));
  link.target(master.port);
  await reconnected();
});

it('follows an address that is moved to another server, also where connections to the old one stay open', async () => {
  // The connection on which replicas are waited for may not have noticed that the last test has cut it.
  await eventually(() => store.placeIntent(newKey(), 'before', 0));
  link.target(other.port);
  await follow(replica, other.port);
  await synchronized();
  await follow(master, other.port);
  await eventually(() => store.placeIntent(newKey(), 'moved', 0));
  for (let count = 0; count < 20; count += 1) await store.placeIntent(newKey(), 'moved', 0);
  expect(connection.up).toBe(true);
  link.target(master.port);
  await on(master, (client) => client.replicaof('NO', 'ONE'));
  await reconnected();
});

it('answers each of many steps within the bound while no replica is there', async () => {
  await part();
  await deserted();
  const startMs = performance.now();
  const results = await Promise.allSettled(
    Array.from({ length: 1_000 }, () => store.placeIntent(newKey(), 'many', 0)),
  );
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
  // Ten WAITs one after the other would take 20 s.
  expect(performance.now() - startMs).toBeLessThan(10_000);
});
