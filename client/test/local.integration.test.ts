import { readFileSync, writeFileSync } from 'node:fs';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import { Client as Database } from 'pg';
import { describe, expect, test } from 'vitest';
import { type Client, createClient, type Key } from '../src/index.ts';
import { useBed } from './support/bed.ts';
import { failureOf, heard, listenTo } from './support/heard.ts';
import { LOCAL_RESOURCES } from './support/local-shop.ts';
import { newId } from './support/shop.ts';

const bed = useBed({ changeLog: { mode: 'on' }, resources: LOCAL_RESOURCES });
const events = listenTo('lockstep:local');

/** So long that nothing is forgotten because a machine is slow. */
const SLOW = { local: { maxLagMs: 40_000 }, redisTimeoutMs: 5_000, timeoutMs: 60_000 } as const;

const reader = (): Promise<Client> => bed.ready(SLOW);
/** A client that reads through the coordinator only. */
function writer(instance: Pick<Instance, 'runtime'> = bed.instance): Client {
  const { url, serviceToken } = instance.runtime;
  return createClient({ url, token: serviceToken, timeoutMs: 60_000 });
}

/** Resolves when the client answers this from its memory. */
const kept = (client: Client, resource: string, key: Key, value: object): Promise<void> =>
  eventually(
    async () => expect(await client.get(resource, key)).toMatchObject({ source: 'local', value }),
    { everyMs: 10 },
  );
/** Resolves when the client answers this, wherever it has it from. */
const answered = (client: Client, resource: string, key: Key, value: object): Promise<void> =>
  eventually(async () => expect(await client.get(resource, key)).toMatchObject({ value }), {
    ...{ withinMs: 60_000, everyMs: 10 },
  });

/** Changes the entry behind everybody's back, as a slow reader without a lease leaves it. */
async function spoilEntry(cacheKey: string, from: string, to: string): Promise<void> {
  const text = (await bed.redis.get(cacheKey)) ?? '';
  expect(text).toContain(from);
  await bed.redis.set(cacheKey, text.replace(from, to), 'EX', 600);
}

/** A row of which the client has an old value in memory, as the cache has it. */
async function oldInMemory(client: Client): Promise<number> {
  const id = newId();
  const other = writer();
  await other.put('profile', id, { name: 'new' });
  await other.get('profile', id);
  await spoilEntry(`profile:${id}`, '"new"', '"old"');
  await kept(client, 'profile', id, { name: 'old' });
  return id;
}

const asOperator = async (path: string, body: object): Promise<unknown> => {
  const { url, adminToken } = bed.instance.runtime;
  const answer = await fetch(`${url}/v1/ops/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
};

describe('a value in memory', () => {
  test('RP15: is answered without a call to Redis or to the coordinator', async () => {
    const client = await reader();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await kept(client, 'profile', id, { id, name: 'Ada' });
    await bed.redis.config('RESETSTAT');
    const reads = await heard('lockstep:read', async () => {
      for (let n = 0; n < 50; n++)
        expect(await client.getMany('profile', [id, id])).toMatchObject([
          { version: 1, source: 'local' },
          { version: 1, source: 'local' },
        ]);
    });
    expect(reads).toEqual(Array(100).fill({ resource: 'profile', from: 'local' }));
    // A read of an entry for memory is a transaction; the coordinator has none.
    expect(await bed.redis.info('commandstats')).not.toContain('cmdstat_multi');
  });

  test('RP15: that says that there is no row is kept too', async () => {
    const client = await reader();
    const id = newId();
    await eventually(async () => {
      const reads = await heard('lockstep:read', async () =>
        expect(await client.get('profile', id)).toBeNull(),
      );
      expect(reads).toMatchObject([{ from: 'local' }]);
    });
    await writer().put('profile', id, { name: 'Ada' });
    await answered(client, 'profile', id, { name: 'Ada' });
  });

  test('each answer has a value of its own', async () => {
    const client = await reader();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await kept(client, 'profile', id, { name: 'Ada' });
    const first = await client.get('profile', id);
    if (first !== null) first.value['name'] = 'Eve';
    await kept(client, 'profile', id, { name: 'Ada' });
  });

  test('RP8: is not answered to whoever asks for newer, or for the database', async () => {
    const client = await reader();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await kept(client, 'profile', id, { name: 'Ada' });
    expect(await client.get('profile', id, { consistency: 'primary' })).toMatchObject({
      source: 'primary',
    });
    expect(await failureOf(client.get('profile', id, { minVersion: 2 }))).toMatchObject({
      code: 'VERSION_MISMATCH',
    });
  });

  test('RP8: is not answered to a session that has written since', async () => {
    const client = await bed.ready({ local: { maxLagMs: 40_000 }, redisTimeoutMs: 3_000 });
    const id = newId();
    await client.put('profile', id, { name: 'old' });
    await kept(client, 'profile', id, { name: 'old' });
    // The message about the write does not arrive.
    bed.links.cache.set('down', { stalled: true });
    try {
      await client.patch('profile', id, { name: 'new' });
      // At once: what is in memory goes when the stream has not answered for the timeout.
      expect(await client.session().get('profile', id)).toMatchObject({
        ...{ source: 'local', value: { name: 'old' } },
      });
      expect(await client.get('profile', id)).toMatchObject({ value: { name: 'new' } });
    } finally {
      bed.links.cache.heal();
    }
    await answered(client.session() as Client, 'profile', id, { name: 'new' });
  });
});

describe('RP15: what is invalidated is forgotten', () => {
  test('by a write through another coordinator', async () => {
    const { databaseUrl, cacheUrl, lockUrls } = bed.instance.runtime;
    const other = await startInstance({
      config: {
        database: { client: 'pg', connection: databaseUrl },
        cache: { url: cacheUrl },
        locks: { nodes: lockUrls, ttl: '2s', waitTimeout: '20s' },
        resources: LOCAL_RESOURCES,
      },
    });
    try {
      const client = await reader();
      const id = newId();
      await client.put('profile', id, { name: 'old' });
      await kept(client, 'profile', id, { name: 'old' });
      await writer(other).patch('profile', id, { name: 'new' });
      await answered(client.session() as Client, 'profile', id, { name: 'new' });
    } finally {
      await other.dispose();
    }
  });

  test('by the change log, of a change that another program made', async () => {
    const client = await reader();
    const id = newId();
    await client.put('profile', id, { name: 'old' });
    await kept(client, 'profile', id, { name: 'old' });
    const database = new Database(bed.instance.runtime.databaseUrl);
    await database.connect();
    try {
      await database.query('update profiles set name = $2 where id = $1', [id, 'new']);
    } finally {
      await database.end();
    }
    await answered(client, 'profile', id, { name: 'new' });
  });

  test('by a call', async () => {
    const client = await reader();
    const id = await oldInMemory(client);
    await writer().invalidate([{ resource: 'profile', key: id }]);
    await answered(client, 'profile', id, { name: 'new' });
  });

  test('by a sweep', async () => {
    const client = await reader();
    const id = await oldInMemory(client);
    // Memory may know what the cache has evicted.
    await bed.redis.del(`profile:${id}`);
    await kept(client, 'profile', id, { name: 'old' });
    await asOperator('sweeps', { resource: 'profile' });
    await answered(client, 'profile', id, { name: 'new' });
  });

  test('by a second delete', async () => {
    const client = await reader();
    const other = writer();
    const key = ['eu', `sku-${newId()}`] as const;
    const cacheKey = `part:${key.join(':')}`;
    await other.put('part', key, { stock: 1 });
    await other.get('part', key);
    const former = (await bed.redis.get(cacheKey)) ?? '';
    await other.patch('part', key, { stock: 2 });
    // As a reader leaves it that has no lease, and read the row before the second write.
    await bed.redis.set(cacheKey, former, 'EX', 600);
    await kept(client, 'part', key, { stock: 1 });
    await answered(client, 'part', key, { stock: 2 });
  });

  test('by a refresh', async () => {
    const client = await reader();
    const id = newId();
    await writer().put('order', id, { item: 'tea' });
    await asOperator('refreshes', { resource: 'order' });
    await kept(client, 'order', id, { item: 'tea' });
    await writer().put('order', id, { item: 'cake' });
    await asOperator('refreshes', { resource: 'order' });
    await answered(client, 'order', id, { item: 'cake' });
  });

  test('of a query, by a write of a row that it depends on', async () => {
    const client = await reader();
    const owner = `owner-${newId()}`;
    await kept(client, 'owner-accounts', owner, []);
    const id = newId();
    await writer().put('account', id, { owner, balance: 5 });
    await answered(client, 'owner-accounts', owner, [{ id, balance: 5 }]);
  });
});

describe('a client that hears of nothing', () => {
  test('RP18: keeps nothing more in memory when the resource is switched to strict', async () => {
    const client = await bed.ready({
      ...SLOW,
      local: { maxLagMs: 4_000 },
      catalogRefreshMs: 600_000,
    });
    const id = await oldInMemory(client);
    bed.links.coordinator.accept('refuse');
    bed.links.coordinator.reset();
    const { configPath } = bed.instance;
    const before = readFileSync(configPath, 'utf8');
    const config = JSON.parse(before) as { resources: object };
    const profile = { ...LOCAL_RESOURCES.profile, policy: 'strict', level: 'redis' };
    try {
      const next = { ...config, resources: { ...config.resources, profile } };
      writeFileSync(configPath, JSON.stringify(next));
      await eventually(async () =>
        expect(await asOperator('reload', {})).toMatchObject({ settled: true }),
      );
      await eventually(async () =>
        expect(await failureOf(client.get('profile', id, { timeoutMs: 500 }))).toMatchObject({
          code: expect.stringMatching('COORDINATOR_UNAVAILABLE|TIMEOUT') as string,
        }),
      );
      // Until it has seen that the stream is gone, it may keep values for as long as an answer may be old.
      await eventually(() =>
        expect(events).toContainEqual(
          expect.objectContaining({ event: 'emptied', resource: 'profile', why: 'gap' }),
        ),
      );
      const other = writer();
      for (const version of [2, 3]) {
        await other.patch('profile', id, { name: `newer ${version}` });
        const seen: number[] = [];
        await eventually(async () => {
          // It fills the cache, where the write could not.
          await other.get('profile', id);
          // A session of its own: what the client has seen before would hide what memory answers.
          const read = await client
            .session()
            .get('profile', id)
            .catch(() => null);
          if (read !== null) seen.push(read.version ?? 0);
          expect(read).toMatchObject({ source: 'cache' });
        });
        expect(new Set(seen)).toEqual(new Set([version]));
      }
    } finally {
      bed.links.coordinator.heal();
      writeFileSync(configPath, before);
      await eventually(async () =>
        expect(await asOperator('reload', {})).toMatchObject({ settled: true }),
      );
    }
  });

  test('is told of by an event', () => {
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'emptied', resource: 'profile', why: 'told' }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'confirmed', bytes: expect.any(Number) as number }),
    );
  });
});
