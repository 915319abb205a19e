import { writeFileSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReloadReport } from '@lockstep/shared';
import { ApiClient, cell } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';
import { SHOP_RESOURCES } from '../support/shop.ts';
import { SwitchLoad } from './switch-load.ts';

/** On MySQL and MariaDB a write holds its policy's row until it has ended, and the switch waits for that row. */
let servers: ExternalServers;
const instances: Instance[] = [];
let apis: ApiClient[] = [];
let behind: SideDoor;
let nextId = 1;

beforeAll(async () => {
  servers = await startExternalServers('mysql2');
  // The first one makes Lockstep's tables.
  for (let index = 0; index < 2; index += 1)
    instances.push(await startInstance({ config: configOf('delete-after-write') }));
  apis = instances.map(({ runtime }) => new ApiClient(runtime.url, runtime.adminToken));
  behind = openSideDoor(at(instances, 0).runtime);
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.close()));
  await behind.close();
  await Promise.all(instances.map((instance) => instance.dispose()));
  await servers.stop();
});

/** Long locks, and so long statements: one of them has to wait here while the other coordinator reloads. */
const configOf = (policy: string): object => ({
  ...servers.config,
  locks: { ...(servers.config as { locks: object }).locks, ttl: '20s' },
  resources: { ...SHOP_RESOURCES, profile: { ...SHOP_RESOURCES.profile, policy } },
});

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`There is no coordinator ${index + 1}`);
  return found;
}

const api = (index: number): ApiClient => at(apis, index);

function configure(index: number, policy: string): void {
  writeFileSync(at(instances, index).configPath, JSON.stringify(configOf(policy)));
}

async function reload(index: number): Promise<ReloadReport> {
  const answer = await api(index).post('/v1/ops/reload', {});
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text) as ReloadReport;
}

async function switchAll(policy: string): Promise<void> {
  for (const index of [0, 1]) configure(index, policy);
  for (const index of [0, 1])
    await eventually(async () => expect(await reload(index)).toMatchObject({ settled: true }), {
      ...{ withinMs: 90_000, everyMs: 20 },
    });
}

/** A row that is cached as it is no more: what a lost delete leaves. */
async function oldEntry(): Promise<number> {
  const id = nextId++;
  await api(0).put('profile', id, { name: 'new' });
  const header = JSON.stringify({ s: 'value', v: 1, f: 0, t: 1 });
  const body = JSON.stringify({ id, name: 'old', visits: 0, bio: null });
  await behind.cache.set(`profile:${id}`, `${header}\n${body}`, 'EX', 600);
  expect(cell(await api(1).get('profile', id), 'name')).toBe('old');
  return id;
}

/** Resolves when a statement on the table is in flight, and so waits for a lock. */
const statementOn = (table: string): Promise<void> =>
  eventually(async () => {
    const waiting = await behind.sql(
      'select 1 from information_schema.processlist where id <> connection_id() and info like ?',
      [`%${table}%`],
    );
    expect(waiting.length).toBeGreaterThan(0);
  });

describe('a switch to strict on one of two coordinators of a MariaDB', () => {
  test('waits for a write in flight on the other coordinator, and leaves nothing old (P7, P8)', async () => {
    await switchAll('delete-after-write');
    const ids = await Promise.all([oldEntry(), oldEntry()]);
    const id = nextId++;
    await api(0).put('profile', id, { name: 'first' });
    const holder = await createConnection({ uri: servers.database.url, database: 'shop' });
    try {
      await holder.query('begin');
      await holder.query('select * from profiles where id = ? for update', [id]);
      const write = api(1).patch('profile', id, { name: 'second' });
      await statementOn('profiles');
      configure(0, 'strict');
      let isAnswered = false;
      const switching = reload(0).finally(() => (isAnswered = true));
      await statementOn('lockstep_policies');
      expect(isAnswered).toBe(false);
      await holder.query('commit');
      expect((await write).body).toMatchObject({ outcome: 'applied' });
      expect(await switching).toMatchObject({ switched: ['profile'], settled: true });
    } finally {
      await holder.end();
    }
    for (const index of [0, 1]) {
      expect(cell(await api(index).get('profile', id), 'name')).toBe('second');
      expect(cell(await api(index).get('profile', at(ids, index)), 'name')).toBe('new');
    }
  });

  test('refuses writes of a coordinator with the old configuration until it is reloaded (P7)', async () => {
    await switchAll('delete-after-write');
    const id = nextId++;
    configure(0, 'strict');
    await reload(0);
    const refused = await api(1).put('profile', id, { name: 'old' });
    expectProblem(refused, 'FENCED');
    expect(refused.body.outcome).toBe('not_applied');
    configure(1, 'strict');
    await reload(1);
    expect((await api(1).put('profile', id, { name: 'new' })).body).toMatchObject({
      ...{ version: 1, policy: 'strict', cache: 'fresh' },
    });
  });

  test('under load on both shows no reader an old value once it is answered (P7, P8)', async () => {
    await switchAll('delete-after-write');
    const ids = [nextId++, nextId++];
    for (const id of ids) await api(0).put('profile', id, { name: 'counted', visits: 0 });
    const load = new SwitchLoad(ids, apis, { counter: 'visits' });
    try {
      await load.written(10);
      for (const index of [0, 1]) configure(index, 'strict');
      expect(await reload(0)).toMatchObject({ settled: true });
      load.isStrict = true;
      await load.written(30);
    } finally {
      await load.stop();
    }
    expect(load.faults).toEqual([]);
    for (const id of ids) {
      const [row] = await behind.sql('select visits from profiles where id = ?', [id]);
      expect(Number(row?.['visits'])).toBeGreaterThanOrEqual(load.acknowledged(id));
      for (const index of [0, 1])
        expect(cell(await api(index).get('profile', id), 'visits')).toBe(row?.['visits']);
    }
  });
});
