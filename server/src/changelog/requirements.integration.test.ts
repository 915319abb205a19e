import { afterAll, describe, expect, it } from 'vitest';
import { bindResources, type Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { config } from '@lockstep/testkit/database/tables';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { systemRuntime } from '../runtime/index.ts';
import {
  freshDatabase,
  installedClients,
  isMysqlInstalled,
  isPgBouncerInstalled,
  startMysql,
  startPgBouncer,
  startPostgres,
  type DatabaseClient,
} from '@lockstep/testkit/servers';
import { changeLogFaults } from './index.ts';

const urls = new Map<Database, string>();
const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

function open(client: DatabaseClient, connection: string): Database {
  const database = openDatabase({
    client,
    connection,
    pool: { min: 0, max: 2 },
    statementTimeoutMs: 5_000,
    acquireTimeoutMs: 5_000,
    runtime: systemRuntime(silentLog),
  });
  closing.push(() => database.close());
  urls.set(database, connection);
  return database;
}

const execute = (database: Database, sql: string) => database.sql.run({ pg: sql, mysql2: sql });

async function faultsOf(database: Database, rest: Parameters<typeof config>[0] = {}) {
  const { resources, faults } = await bindResources([config(rest)], database.catalog);
  expect(faults).toEqual([]);
  const log = { connection: urls.get(database) ?? '', slot: 'lockstep', publication: 'lockstep' };
  const found = await changeLogFaults(database.sql, log, resources);
  return found.map(({ path, message }) => `${path}: ${message}`);
}

/** MySQL does since 9.6. */
async function logsCascades(database: Database): Promise<boolean> {
  const asked = "show global variables like 'innodb_native_foreign_keys'";
  const { rows } = await database.sql.run({ mysql2: asked });
  return rows[0]?.Value === 'OFF';
}

describe.skipIf(!isPgBouncerInstalled())('through a pooler in session mode', () => {
  it('the log is told to be followed by a connection of its own', async () => {
    const fresh = await freshDatabase('pg');
    closing.push(() => fresh.drop());
    const pooler = await startPgBouncer({ databaseUrl: fresh.url, poolMode: 'session' });
    closing.push(() => pooler.stop());
    const database = open('pg', pooler.url);
    await execute(database, 'create table accounts (id int primary key, owner varchar(20))');
    expect(await faultsOf(database)).toEqual([
      expect.stringMatching(/^changeLog: .*carries no replication.*allowed: changeLog.connection/),
    ]);
    urls.set(database, fresh.url);
    expect(await faultsOf(database)).toEqual([]);
  });
});

describe.each(installedClients())('what the change log needs of %s', (client) => {
  it('is there on a server that is set for it, and a table that it cannot follow well is named', async () => {
    const fresh = await freshDatabase(client);
    closing.push(() => fresh.drop());
    const database = open(client, fresh.url);
    const accounts = 'create table accounts (id integer primary key, owner varchar(20) not null)';
    await execute(database, accounts);
    expect(await faultsOf(database)).toEqual([]);
    if (client === 'pg') {
      await execute(database, 'create table loose (id integer not null unique)');
      expect(await faultsOf(database, { table: 'loose' })).toEqual([
        expect.stringMatching(
          /^resources\.account\.table: loose: its rows have no replica identity/,
        ),
      ]);
      expect(await faultsOf(database, { invalidates: ['owner:{owner}'] })).toEqual([
        expect.stringMatching(
          /does not contain owner of rows before a change.*replica identity full$/,
        ),
      ]);
    } else {
      await execute(
        database,
        'create table child (id integer primary key, account integer, foreign key of_account (account) references accounts (id) on delete cascade)',
      );
      const silent = /does not contain the rows that the foreign key \w+ changes/;
      const faults = (await logsCascades(database)) ? [] : [expect.stringMatching(silent)];
      expect(await faultsOf(database, { table: 'child' })).toEqual(faults);
    }
  });
});

it('a PostgreSQL without logical decoding is named, and a role that may not replicate', async () => {
  const server = await startPostgres({ args: ['-c', 'wal_level=replica'] });
  closing.push(() => server.stop());
  const database = open('pg', server.url);
  await execute(database, 'create table accounts (id integer primary key)');
  await execute(database, 'create role plain login');
  expect(await faultsOf(database)).toEqual([
    'changeLog: wal_level is replica; allowed: logical (a restart of the server)',
  ]);
  const url = new URL(server.url);
  url.username = 'plain';
  const faults = await faultsOf(open('pg', url.href));
  expect(faults).toContain(
    'changeLog: the role may not replicate; allowed: alter role … replication',
  );
  expect(faults).toEqual(
    expect.arrayContaining([expect.stringMatching(/no publication lockstep/)]),
  );
});

it.skipIf(!isMysqlInstalled())(
  'a binlog without whole rows is named, and an account without the rights',
  async () => {
    const args = ['--binlog-format=MIXED', '--binlog-row-image=MINIMAL'];
    const server = await startMysql({ args });
    closing.push(() => server.stop());
    const database = open('mysql2', server.url);
    await execute(database, 'create database shop');
    const url = new URL(server.url);
    url.pathname = '/shop';
    const shop = open('mysql2', url.href);
    await execute(shop, 'create table accounts (id integer primary key)');
    expect(await faultsOf(shop)).toEqual([
      'changeLog: binlog_format is MIXED; allowed: ROW',
      'changeLog: binlog_row_image is MINIMAL; allowed: FULL',
    ]);
    await execute(database, "create user plain identified by 'secret'");
    await execute(database, 'grant all on shop.* to plain');
    url.username = 'plain';
    url.password = 'secret';
    expect(await faultsOf(open('mysql2', url.href))).toHaveLength(4);
    await execute(database, 'grant replication slave, replication client on *.* to plain');
    expect(await faultsOf(open('mysql2', url.href))).toHaveLength(2);
  },
);
