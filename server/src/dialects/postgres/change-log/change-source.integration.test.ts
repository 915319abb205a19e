import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bindResources, type Database } from '../../../database/index.ts';
import { openDatabase } from '../../index.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { systemRuntime } from '../../../runtime/index.ts';
import { startPostgres, type TestServer } from '@lockstep/testkit/servers';
import { createChangeSource } from '../../../changelog/index.ts';
import type { ChangeSink } from '../../../changelog/port.ts';
import { until } from '../../../changelog/testing/world.ts';

const runtime = systemRuntime(silentLog);
const openAt = (connection: string): Database =>
  openDatabase({
    ...{ client: 'pg', connection, pool: { min: 0, max: 4 } },
    ...{ statementTimeoutMs: 5_000, acquireTimeoutMs: 5_000, runtime },
  });
let server: TestServer;
let database: Database;

/** A URL for sessions that do not wait for a standby. */
const withoutWaiting = (url: string): string =>
  `${url}?options=${encodeURIComponent('-c synchronous_commit=local')}`;

beforeAll(async () => {
  server = await startPostgres();
  database = openAt(withoutWaiting(server.url));
  await database.migrations.up();
  await execute('create table accounts (id integer primary key, owner text)');
  await execute("insert into accounts values (1, 'old')");
});
afterAll(async () => {
  await database?.close();
  await server?.stop();
});

const execute = (sql: string) => database.sql.run({ pg: sql, mysql2: sql });
const owner = async (): Promise<string | null | undefined> =>
  (await execute('select owner from accounts where id = 1')).rows[0]?.owner;

const waitsForStandby = async (pid: number): Promise<boolean> => {
  const { rows } = await execute(`select wait_event from pg_stat_activity where pid = ${pid}`);
  return rows[0]?.wait_event === 'SyncRep';
};

/** Commits until a commit waits for a standby: sessions see the setting a moment before it takes effect. */
async function untilCommitsWait(session: pg.Client, pid: number): Promise<void> {
  await execute('create table probes (id integer)');
  for (let isWaiting = false; !isWaiting;) {
    const probe = { isOver: false };
    const committed = session.query('insert into probes values (1)').then(() => {
      probe.isOver = true;
    });
    await until(async () => probe.isOver || (await waitsForStandby(pid)), 'the probe');
    isWaiting = !probe.isOver;
    await execute(`select pg_cancel_backend(${pid})`); // ends the wait, not the commit
    await committed;
  }
}

const nothing = (): void => undefined;
const NOTHING: ChangeSink = {
  ...{
    begin: nothing,
    row: nothing,
    mark: nothing,
    lost: nothing,
    commit: nothing,
    caughtUp: nothing,
  },
  room: () => null,
};

async function openSource(account = database, slot = 'lockstep') {
  const { resources } = await bindResources([config()], database.catalog);
  return createChangeSource({
    sql: account.sql,
    connection: server.url,
    slot,
    serverId: 0,
    publication: 'lockstep',
    resources: new Map(resources.map((one) => [one.name, one])),
    runtime,
  });
}

it('C4: a table that the publication lacks is named, hinders no other one, and is swept when an administrator adds it', async () => {
  await execute('create role follower login replication');
  await execute('create publication lockstep for table lockstep_keys (resource, key, version)');
  const url = new URL(withoutWaiting(server.url));
  url.username = 'follower';
  const account = openAt(url.href);
  try {
    const source = await openSource(account, 'apart');
    const { faults } = await source.open(null, null);
    const message = expect.stringMatching(
      /is not in the publication lockstep.*add table "public"."accounts"/,
    ) as string;
    const unpublished = { table: 'accounts', message, isFollowed: false };
    expect(faults).toEqual([unpublished]);
    expect(await source.verify()).toEqual({ faults: [unpublished], lost: [] });
    await execute('alter publication lockstep add table accounts');
    const { faults: left, lost } = await source.verify();
    expect(left).toEqual([]);
    expect(lost.map(({ table }) => table)).toEqual(['accounts']);
    expect((await source.verify()).lost).toEqual([]);
  } finally {
    await account.close();
    await execute('drop publication lockstep');
    await execute("select pg_drop_replication_slot('apart')");
  }
});

it('C7: a term that ends while the log is being opened ends the stream as soon as it begins', async () => {
  const source = await openSource();
  const { position, gap } = await source.open(null, null);
  expect(gap).toBe('slot lockstep is new');
  await source.stream(position, NOTHING, AbortSignal.abort());
});

it('C1: a commit that is in the log and that nobody sees yet, for it waits for a standby, is waited for until the term ends', async () => {
  const source = await openSource();
  const { position } = await source.open(null, null);
  const rows: unknown[] = [];
  const sink: ChangeSink = { ...NOTHING, row: (change) => void rows.push(change) };
  const stop = new AbortController();
  const streaming = source.stream(position, sink, stop.signal);

  await execute("alter system set synchronous_standby_names = 'nobody'");
  await execute('select pg_reload_conf()');
  await until(async () => {
    const { rows: shown } = await execute('show synchronous_standby_names');
    return shown[0]?.synchronous_standby_names === 'nobody';
  });
  const waiting = new pg.Client({ connectionString: server.url });
  await waiting.connect();
  const { rows: pids } = await waiting.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = pids[0]?.pid ?? 0;
  await untilCommitsWait(waiting, pid);
  const committed = waiting.query("update accounts set owner = 'new' where id = 1");
  await until(() => rows.length === 1, 'the change in the log');

  let isSettled = false;
  const settled = source.untilVisible(stop.signal).then(() => {
    isSettled = true;
  });
  for (let look = 0; look < 20; look++) {
    expect(await owner()).toBe('old');
    expect(isSettled).toBe(false);
  }
  expect(await source.untilVisible(AbortSignal.abort())).toBe(false);
  await execute(`select pg_cancel_backend(${pid})`); // ends the wait, not the commit
  await committed;
  await settled;
  expect(await owner()).toBe('new');
  stop.abort();
  await streaming;
  await waiting.end();
});
