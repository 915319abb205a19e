import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, type Resource } from '../../domain/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import {
  freshDatabase,
  isPgBouncerInstalled,
  startPgBouncer,
  type FreshDatabase,
  type TestServer,
} from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import type { Database } from '../open-database.ts';
import { openDatabase } from '../../dialects/index.ts';
import { poolerFault } from './pooler.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

/** Settings that Lockstep makes for its sessions, and no other program's may have. */
const SETTINGS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'enable_seqscan',
  'plan_cache_mode',
  'jit',
  'TimeZone',
];

describe.skipIf(!isPgBouncerInstalled())('behind a pooler', () => {
  let fresh: FreshDatabase;
  const poolers: TestServer[] = [];
  const opened: Database[] = [];

  beforeAll(async () => {
    fresh = await freshDatabase('pg');
    const direct = open(fresh.url);
    await direct.migrations.up();
    const client = await connect(fresh.url);
    await client.query(
      `create table accounts (id integer primary key, owner varchar(20), balance bigint);
       insert into accounts values (1, 'ann', 0)`,
    );
    await client.end();
  });
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
    for (const pooler of poolers.splice(0)) await pooler.stop();
  });
  afterAll(() => fresh.drop());

  function open(connection: string): Database {
    const database = openDatabase({
      client: 'pg',
      connection,
      pool: { min: 0, max: 5 },
      statementTimeoutMs: 5_000,
      acquireTimeoutMs: 5_000,
      runtime: systemRuntime(silentLog),
    });
    opened.push(database);
    return database;
  }

  async function start(
    poolMode: 'session' | 'transaction' | 'statement',
    settings: Record<string, string | number> = {},
  ): Promise<TestServer> {
    const pooler = await startPgBouncer({ databaseUrl: fresh.url, poolMode, settings });
    poolers.push(pooler);
    return pooler;
  }

  async function refusal(database: Database): Promise<string | null> {
    return database.ping().then(
      () => null,
      (error: unknown) => poolerFault(error) ?? String(error),
    );
  }

  it.each([1, 3, 20])(
    'transaction pooling is refused by name, with %i sessions in the pool',
    async (default_pool_size) => {
      const pooler = await start('transaction', { default_pool_size });
      expect(await refusal(open(pooler.url))).toMatch(/transaction pooling.*session mode/);
    },
  );

  it('transaction pooling is refused while other programs keep its sessions busy', async () => {
    const pooler = await start('transaction', { default_pool_size: 4, server_round_robin: 1 });
    const others = await Promise.all(Array.from({ length: 8 }, () => connect(pooler.url)));
    let isOver = false;
    const traffic = others.map(async (client) => {
      while (!isOver) await client.query('select pg_sleep(0.001)');
    });
    try {
      for (let time = 0; time < 5; time++) {
        expect(await refusal(open(pooler.url))).toContain('transaction pooling');
      }
    } finally {
      isOver = true;
      await Promise.all(traffic);
      await Promise.all(others.map((client) => client.end()));
    }
  });

  it('statement pooling is refused by name', async () => {
    const pooler = await start('statement');
    expect(await refusal(open(pooler.url))).toMatch(/statement pooling/);
  });

  it('what is refused has set nothing on the sessions that others use', async () => {
    const pooler = await start('transaction', { default_pool_size: 1 });
    const database = open(pooler.url);
    await refusal(database);
    await database.close();
    expect(await settings(pooler.url)).toEqual(await settings(fresh.url));
  });

  it('session pooling works, and leaves nothing on the sessions even where the pooler resets none', async () => {
    const pooler = await start('session', { default_pool_size: 6, server_reset_query: '' });
    const database = open(pooler.url);
    const { resources } = await bindResources([config()], database.catalog);
    const [resource] = resources;
    const before = await balance();
    await Promise.all(Array.from({ length: 40 }, () => increment(database, resource)));
    expect(await balance()).toBe(before + 40);
    await database.close();
    const sessions = await Promise.all(Array.from({ length: 6 }, () => settings(pooler.url)));
    const direct = await settings(fresh.url);
    expect(sessions).toEqual(sessions.map(() => direct));
  });

  it('a session with another one’s leftovers is made new before it is used', async () => {
    const pooler = await start('session', { default_pool_size: 2, server_reset_query: '' });
    const other = await connect(pooler.url);
    await other.query(`set default_transaction_read_only = on`);
    await other.query({ name: 'lockstep_1', text: 'select 1' });
    await other.end();
    const database = open(pooler.url);
    const { resources } = await bindResources([config()], database.catalog);
    await increment(database, resources[0]);
  });

  it('a pooler that is given another mode while it runs is refused from then on', async () => {
    const pooler = await start('session', { default_pool_size: 6, admin_users: 'lockstep' });
    const database = open(pooler.url);
    await database.ping();
    const admin = new URL(pooler.url);
    admin.pathname = '/pgbouncer';
    const client = await connect(admin.href);
    await client.query(`set pool_mode = 'transaction'`);
    await client.end();
    await expect.poll(() => refusals(database)).toContain('pooling');
  });

  /** Several at once, so that sessions change hands. */
  async function refusals(database: Database): Promise<string> {
    const all = await Promise.all(Array.from({ length: 4 }, () => refusal(database)));
    return all.join();
  }

  async function increment(database: Database, resource: Resource | undefined): Promise<void> {
    if (resource === undefined) throw new Error('not bound');
    const result = await database.rows.write({
      key: makeKey(resource, ['1']),
      change: { op: 'patch', set: {}, increment: { balance: '1' } },
      outbox: false,
    });
    expect(result.status).toBe('applied');
  }

  async function balance(): Promise<number> {
    const client = await connect(fresh.url);
    try {
      const { rows } = await client.query<{ balance: string }>('select balance from accounts');
      return Number(rows[0]?.balance);
    } finally {
      await client.end();
    }
  }

  async function settings(url: string): Promise<unknown> {
    const client = await connect(url);
    try {
      const { rows } = await client.query(
        'select name, setting from pg_settings where name = any($1) order by name',
        [SETTINGS],
      );
      return rows;
    } finally {
      await client.end();
    }
  }

  async function connect(url: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined); // its next query tells
    await client.connect();
    return client;
  }
});
