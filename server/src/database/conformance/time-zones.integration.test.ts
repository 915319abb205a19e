import { parseJson } from '@lockstep/shared';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import {
  keyFromJson,
  keyFromRow,
  keyFromText,
  parseRow,
  type Resource,
} from '../../domain/index.ts';
import { type DatabaseClient, installedClients } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

/** As the database has it, and as callers see it where its zone is Europe/Berlin. */
const BERLIN: Record<string, string> = {
  '2026-01-02 03:04:05': '2026-01-02T02:04:05.000Z',
  '2026-07-02 00:00:00': '2026-07-01T22:00:00.000Z',
  // Clocks never show the first, and show the second twice.
  '2026-03-29 02:30:00': '2026-03-29 02:30:00',
  '2026-10-25 02:30:00': '2026-10-25 02:30:00',
};
const TOLERANCE_MS = 60_000;

async function inZone(
  client: DatabaseClient,
  timeZone: string,
  task: (database: TestDatabase) => Promise<void>,
): Promise<void> {
  const database = await openTestDatabase(client, { timeZone });
  try {
    await task(database);
  } finally {
    await database.drop();
  }
}

/** Another program, whose session is of another zone. */
async function elsewhere(client: DatabaseClient, url: string, statements: string[]): Promise<void> {
  if (client === 'pg') {
    const connection = new pg.Client({ connectionString: url });
    await connection.connect();
    for (const sql of statements) await connection.query(sql);
    await connection.end();
    return;
  }
  const connection = await createConnection({ uri: url });
  for (const sql of statements) await connection.query(sql);
  await connection.end();
}

async function bound(database: TestDatabase, table: string, key = ['id']): Promise<Resource> {
  const { resources, faults } = await bindResources(
    [config({ name: table, table, key, cacheKey: `${table}:{${key.join()}}` })],
    database.catalog,
  );
  expect(faults).toEqual([]);
  const [resource] = resources;
  if (resource === undefined) throw new Error('no resource');
  return resource;
}

const patched = (resource: Resource, value: string) => {
  const parsed = parseRow(resource.columns, parseJson(value));
  if ('faults' in parsed) throw new Error(parsed.faults[0]?.message);
  return { op: 'patch', set: parsed.row, increment: {} } as const;
};

describe.each(installedClients())('times without a zone in %s', (client) => {
  const zoneless = client === 'pg' ? 'timestamp' : 'datetime(6)';
  const zoned = client === 'pg' ? 'timestamptz' : 'timestamp(6) null';
  const asText = client === 'pg' ? 'at::text' : 'cast(at as char)';

  it('J3, J5: are told as instants of database.timeZone, and written back as they were', async () => {
    await inZone(client, 'Europe/Berlin', async (database) => {
      await database.execute(`create table events (id int primary key, at ${zoneless})`);
      const resource = await bound(database, 'events');
      for (const [id, [local, seen]] of Object.entries(BERLIN).entries()) {
        await database.execute(`insert into events values (${id}, '${local}')`);
        const key = keyFromText(resource, String(id));
        const { row } = await database.rows.read(key);
        expect(row).toEqual({ id, at: seen });
        const change = patched(resource, JSON.stringify({ at: seen }));
        const result = await database.rows.write({ key, change, outbox: false });
        expect(result).toMatchObject({ status: 'applied', row: { at: seen } });
        const text = `select ${asText} as text from events where id = ${id}`;
        const { rows } = await database.sql.run({ pg: text, mysql2: text });
        expect(rows[0]?.text?.replace(/\.0+$/, '')).toBe(local);
      }
      for (const at of ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-01-02 03:04:05']) {
        expect(parseRow(resource.columns, { at })).toHaveProperty('faults');
      }
    });
  });

  it('are keys under their instants', async () => {
    await inZone(client, 'Europe/Berlin', async (database) => {
      await database.execute(`create table slots (at ${zoneless} primary key, n int)`);
      await database.execute(
        `insert into slots values ('2026-07-02 00:00:00', 1), ('2026-10-25 02:30:00', 2)`,
      );
      const resource = await bound(database, 'slots', ['at']);
      for (const [n, at] of ['2026-07-01T22:00:00.000Z', '2026-10-25 02:30:00'].entries()) {
        const key = keyFromJson(resource, at);
        const { row } = await database.rows.read(key);
        expect(row).toEqual({ at, n: n + 1 });
        expect(keyFromRow(resource, row ?? {})?.text).toBe(key.text);
      }
      expect(keyFromJson(resource, '2026-07-02T00:00:00+02:00').text).toBe(
        '2026-07-01T22:00:00.000Z',
      );
      expect(await database.rows.sampleKeys(resource, 5)).not.toEqual([]);
    });
  });

  it.each(['Europe/Berlin', '+05:30'])(
    'are right beside times with a zone, whoever writes them with now(): %s',
    async (timeZone) => {
      await inZone(client, timeZone, async (database) => {
        await database.execute(
          `create table events (id int primary key, at ${zoneless}, moment ${zoned})`,
        );
        const setZone =
          client === 'pg'
            ? `set timezone = '${timeZone === '+05:30' ? 'Asia/Kolkata' : timeZone}'`
            : `set time_zone = '${timeZone === '+05:30' ? timeZone : berlinNow()}'`;
        await elsewhere(client, database.url, [
          setZone,
          'insert into events values (1, now(), now())',
          `insert into events values (2, null, '2026-10-25 00:30:00${client === 'pg' ? '+00' : ''}')`,
          `insert into events values (3, null, '2026-10-25 01:30:00${client === 'pg' ? '+00' : ''}')`,
        ]);
        const resource = await bound(database, 'events');
        const first = (await database.rows.read(keyFromText(resource, '1'))).row;
        for (const at of [first?.['at'], first?.['moment']]) {
          expect(Math.abs(Date.parse(String(at)) - Date.now())).toBeLessThan(TOLERANCE_MS);
        }
        // Two instants of one hour by the clock stay two.
        const key = keyFromText(resource, '2');
        for (const moment of ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z']) {
          const change = patched(resource, JSON.stringify({ moment }));
          await database.rows.write({ key, change, outbox: false });
          expect((await database.rows.read(key)).row).toMatchObject({ moment });
        }
      });
    },
  );

  it('are filled in by the server as of that zone, or their table is refused', async () => {
    const filled = client === 'pg' ? 'default now()' : 'default current_timestamp(6)';
    for (const timeZone of ['Europe/Berlin', '+05:30']) {
      await inZone(client, timeZone, async (database) => {
        await database.execute(
          `create table events (id int primary key, at ${zoneless} ${filled})`,
        );
        if (client === 'mysql2' && timeZone === 'Europe/Berlin') {
          const { faults } = await bindResources(
            [config({ name: 'events', table: 'events', cacheKey: 'events:{id}' })],
            database.catalog,
          );
          expect(faults.map(({ message }) => message)).toEqual([
            expect.stringMatching(/has the column at \(datetime\S*\), which.*database\.timeZone/),
          ]);
          return;
        }
        const resource = await bound(database, 'events');
        const key = keyFromText(resource, '1');
        const change = { op: 'put', set: {}, onlyCreate: false } as const;
        await database.rows.write({ key, change, outbox: false });
        const { row } = await database.rows.read(key);
        expect(Math.abs(Date.parse(String(row?.['at'])) - Date.now())).toBeLessThan(TOLERANCE_MS);
      });
    }
  });
});

/** MySQL and MariaDB have no names of zones in a session unless tables of zones were loaded, so it stays in UTC. */
describe.runIf(installedClients().includes('mysql2'))('beside a named zone, on mysql2', () => {
  const CLOCKS = [
    'at datetime default now()',
    'at datetime(3) default current_timestamp(3)',
    'at datetime default (now() + interval 1 day)',
    'at datetime on update current_timestamp',
    'at date default (curdate())',
    'at time default (curtime())',
    'at int default (year(curdate()))',
  ];
  const NO_CLOCKS = [
    'at timestamp default current_timestamp',
    "at datetime default '2026-01-02 03:04:05'",
    "at varchar(40) default 'now() or never'",
    'at varchar(40) default (uuid())',
    // The same in every session's zone.
    'at bigint default (unix_timestamp())',
  ];

  it('a column that the server would fill by its clock is refused, and no other', async () => {
    await inZone('mysql2', 'Europe/Berlin', async (database) => {
      const tables = [...CLOCKS, ...NO_CLOCKS].map((column, at) => ({ name: `t${at}`, column }));
      for (const { name, column } of tables) {
        await database.execute(`create table ${name} (id int primary key, ${column})`);
      }
      const { faults } = await bindResources(
        tables.map(({ name }) => config({ name, table: name, cacheKey: `${name}:{id}` })),
        database.catalog,
      );
      expect(faults.map(({ path }) => path)).toEqual(
        CLOCKS.map((_, at) => expect.stringContaining(`t${at}.`) as string),
      );
    });
  });
});

/** What a session that names its zone would have now. */
function berlinNow(): string {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: 'Europe/Berlin',
    timeZoneName: 'longOffset',
  }).formatToParts();
  return (parts.find(({ type }) => type === 'timeZoneName')?.value ?? '').replace('GMT', '');
}
