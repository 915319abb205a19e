import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { openDatabase } from '../dialects/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import {
  freshDatabase,
  type FreshDatabase,
  installedClients,
  startRedis,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { run } from '@lockstep/testkit/doubles/run-cli';

const quiet = (): void => undefined;
const runtime = systemRuntime({ debug: quiet, info: quiet, warn: quiet, error: quiet });

describe.each(installedClients())('on real servers, with %s', (client) => {
  let folder = '';
  let database: FreshDatabase;
  let nodes: TestRedis[] = [];
  const [cache, ...locks] = [0, 1, 2, 3].map((index) => () => nodes[index]?.url ?? '');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-check-'));
    [database, ...nodes] = await Promise.all([
      freshDatabase(client),
      startRedis(),
      startRedis(),
      startRedis(),
      startRedis(),
    ]);
    const opened = openDatabase({
      client,
      connection: database.url,
      pool: { min: 0, max: 1 },
      statementTimeoutMs: 5000,
      acquireTimeoutMs: 5000,
      runtime,
    });
    const create =
      'create table accounts (id bigint primary key, owner varchar(100), balance bigint not null)';
    await opened.sql.run({ pg: create, mysql2: create });
    await opened.close();
  });
  afterAll(async () => {
    await Promise.all([database.drop(), ...nodes.map((node) => node.stop())]);
    await rm(folder, { recursive: true, force: true });
  });

  const check = async (changes: object = {}, ...argv: string[]) => {
    const file = join(folder, 'lockstep.yaml');
    const config = {
      database: { client, connection: database.url },
      cache: { url: cache?.() },
      locks: { nodes: locks.map((url) => url()) },
      resources: { account: { table: 'accounts', key: ['id'], policy: 'strict' } },
      ...changes,
    };
    await writeFile(file, stringify(config));
    return run([...(argv.length === 0 ? ['check'] : argv), '--config', file], { cwd: folder });
  };

  it('check finds no fault where there is none', async () => {
    const { code, out, err } = await check();
    expect({ code, err }).toEqual({ code: 0, err: [] });
    expect(out).toEqual([
      'ok: configuration with 1 resource(s)',
      expect.stringMatching(
        client === 'pg'
          ? /^ok: database: PostgreSQL \d+\.\d+$/
          : /^ok: database: (MariaDB|MySQL) \d+\.\d+$/,
      ),
      expect.stringMatching(/^ok: cache: Redis \d.*, maxmemory-policy noeviction$/),
      'ok: lock nodes: 3',
    ]);
  });

  it('check names tables and columns that are not there', async () => {
    const resources = {
      account: { table: 'accounts', key: ['id'], columns: ['id', 'colour'] },
      order: { table: 'orders', key: ['id'] },
    };
    const { code, out } = await check({ resources });
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(/^resources\.account\.columns.*colour/),
      expect.stringMatching(/^resources\.order\.table: .*orders/),
    ]);
  });

  it('check names a database that is not there', async () => {
    const url = new URL(database.url);
    url.pathname = '/nothing_here';
    const { code, out } = await check({ database: { connection: url.href } });
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(/^database\.connection: has no such database .*nothing_here/),
    ]);
  });

  it('check names lock nodes that are one server', async () => {
    const [first = ''] = locks.map((url) => url());
    const { out } = await check({ locks: { nodes: [first, `${first}/1`] } });
    expect(out).toEqual([
      expect.stringMatching(/^locks\.nodes\.1: is the same server as locks\.nodes\.0/),
    ]);
  });

  it('check refuses a cache that may evict intents, where a resource is strict', async () => {
    const evicting = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    try {
      const { out } = await check({ cache: { url: evicting.url } });
      expect(out).toEqual([expect.stringMatching(/^cache\.url: has maxmemory-policy allkeys-lru/)]);
      const resources = { account: { table: 'accounts', key: ['id'] } };
      expect((await check({ cache: { url: evicting.url }, resources })).code).toBe(0);
    } finally {
      await evicting.stop();
    }
  });

  it('check carries a step out: a user without scripts, and servers that take no writes, are named', async () => {
    const refusing = await startRedis({ args: ['--min-replicas-to-write', '1'] });
    const admin = new Redis(nodes[0]?.url ?? '');
    try {
      await admin.call('ACL', 'SETUSER', 'few', 'on', '>hunter2', '~*', '+@all', '-@scripting');
      const few = (cache?.() ?? '').replace('redis://', 'redis://few:hunter2@');
      const { out } = await check({ cache: { url: few } });
      expect(out).toContainEqual(
        expect.stringMatching(/^cache\.url: does not let this user use evalsha \(NOPERM/),
      );
      expect(out.join()).not.toContain('hunter2');
      const [, second = '', third = ''] = locks.map((url) => url());
      const withRefusing = { locks: { nodes: [refusing.url, second, third] } };
      expect((await check(withRefusing)).out).toEqual([
        expect.stringMatching(/^locks\.nodes\.0: cannot be used: it refuses: NOREPLICAS/),
      ]);
    } finally {
      admin.disconnect();
      await refusing.stop();
    }
  });

  it('migrate applies, shows and takes back', async () => {
    const { out: pending } = await check({}, 'migrate', 'status', '--json');
    const { pending: names } = JSON.parse(pending[0] ?? '') as { pending: string[] };
    expect(names.length).toBeGreaterThan(0);
    const up = await check({}, 'migrate', 'up', '--json');
    expect(JSON.parse(up.out[0] ?? '')).toEqual({ applied: names });
    expect((await check({}, 'migrate', 'up')).out).toEqual(['nothing is pending']);
    const down = await check({}, 'migrate', 'down', '--yes', '--json');
    expect(JSON.parse(down.out[0] ?? '')).toEqual({ reverted: [names.at(-1)] });
    expect((await check({}, 'migrate', 'status')).out.at(-1)).toBe(`pending  ${names.at(-1)}`);
  });
});
