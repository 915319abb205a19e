import { decodeEntry, encodeEntry, jsonText, parseJson, type Row } from '@lockstep/shared';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyFromText, parseRow, type Resource } from '../../domain/index.ts';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import {
  MARIADB_DOCUMENTS,
  MYSQL_SAMPLES,
  PG_OWN_TYPES,
  PG_SAMPLES,
} from '@lockstep/testkit/database/type-samples';

/** SQL as any other program sends it; each row its values as text. */
interface PlainSql {
  run(sql: string): Promise<(string | null)[][]>;
  end(): Promise<void>;
}

async function openPlainSql(client: DatabaseClient, url: string): Promise<PlainSql> {
  if (client === 'pg') {
    const connection = new pg.Client({ connectionString: url });
    await connection.connect();
    await connection.query(
      `set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 3`,
    );
    const asText = { getTypeParser: () => (text: string) => text };
    return {
      run: async (sql) =>
        (await connection.query({ text: sql, rowMode: 'array', types: asText })).rows as string[][],
      end: () => connection.end(),
    };
  }
  const connection = await createConnection({ uri: url, charset: 'utf8mb4' });
  await connection.query(`set time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'`);
  return {
    run: async (sql) => {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      if (!Array.isArray(rows)) return [];
      return (rows as unknown[][]).map((row) =>
        row.map((value) => (value === null ? null : String(value))),
      );
    },
    end: () => connection.end(),
  };
}

/** Whether the column is to the last bit what it was. */
function isSame(client: DatabaseClient, type: string): string {
  if (client === 'pg') return 'row(v)::record *= row(was)::record';
  // The text of a float has six digits.
  return /^(float|double)/.test(type)
    ? 'v + 0e0 <=> was + 0e0'
    : 'hex(cast(v as binary)) <=> hex(cast(was as binary))';
}

interface Typed {
  name: string;
  /** The column's definition. */
  sql: string;
  /** SQL expressions of values. */
  values: readonly string[];
}

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

describe.each(installedClients())('every type of %s', (client) => {
  let database: TestDatabase;
  let sql: PlainSql;
  let tables = 0;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    sql = await openPlainSql(client, database.url);
    if (client === 'pg') for (const statement of PG_OWN_TYPES) await sql.run(statement);
  });
  afterAll(async () => {
    await sql?.end();
    await database?.drop();
  });

  async function tableOf({ sql: type, values }: Typed): Promise<string> {
    const table = `typed_${++tables}`;
    await sql.run(`create table ${table} (id int primary key, v ${type}, was ${type})`);
    for (const [id, value] of values.entries()) {
      await sql.run(`insert into ${table} values (${id}, ${value}, ${value})`);
    }
    await sql.run(`insert into ${table} values (${values.length}, null, null)`);
    return table;
  }

  async function resourceOf(table: string): Promise<Resource> {
    const { resources, faults } = await bindResources(
      [config({ name: table, table, columns: ['id', 'v'], cacheKey: `${table}:{id}` })],
      database.catalog,
    );
    expect(faults).toEqual([]);
    const [resource] = resources;
    if (resource === undefined) throw new Error(`no resource over ${table}`);
    return resource;
  }

  /** The value of each row that is not what it was. */
  const changed = async (table: string, type: string): Promise<(string | null)[][]> =>
    sql.run(
      `select id, ${client === 'pg' ? 'v::text, was::text' : 'hex(v), hex(was)'} from ${table} where not (${isSame(client, type)}) or (v is null) <> (was is null)`,
    );

  /** Reads every row, and writes back what was read in each way that there is. */
  async function roundTrip(typed: Typed): Promise<void> {
    const table = await tableOf(typed);
    const resource = await resourceOf(table);
    const keys = [...typed.values, ''].map((_, id) => keyFromText(resource, String(id)));
    const rows = await database.rows.readMany(resource, keys);
    const given: Row[] = [];
    for (const [index, key] of keys.entries()) {
      const { row } = await database.rows.read(key);
      if (row === null) throw new Error(`${typed.name}: no row ${key.text}`);
      expect(row, 'alone and among others').toEqual(rows[index]?.row);
      const entry = { state: 'value', version: 1, fence: 0, writtenAtMs: 1, row } as const;
      expect(decodeEntry(encodeEntry(entry)), 'in the cache').toEqual(entry);
      const sent = parseJson(jsonText({ v: row.v ?? null }));
      const parsed = parseRow(resource.columns, sent);
      if ('faults' in parsed) {
        throw new Error(
          `${typed.name}: ${jsonText(sent)} is refused: ${parsed.faults[0]?.message}`,
        );
      }
      expect(parsed.row.v, 'written as it was read').toEqual(row.v);
      given.push(parsed.row);
    }
    for (const [index, key] of keys.entries()) {
      const change = { op: 'put', set: given[index] ?? {}, onlyCreate: false } as const;
      const written = await database.rows.write({ key, change, outbox: false });
      expect(written, `${typed.name}: put`).toMatchObject({ status: 'applied' });
      expect(written.status === 'applied' && written.row).toEqual(rows[index]?.row);
    }
    expect(await changed(table, typed.sql), `${typed.name}: put`).toEqual([]);
    // Writes of one moment share a statement on PostgreSQL.
    const together = await Promise.all(
      keys.map((key, index) => {
        const change = { op: 'patch', set: given[index] ?? {}, increment: {} } as const;
        return database.rows.write({ key, change, outbox: false });
      }),
    );
    expect(together.map(({ status }) => status)).toEqual(keys.map(() => 'applied'));
    expect(await changed(table, typed.sql), `${typed.name}: patch`).toEqual([]);
  }

  it.runIf(client === 'pg')(
    'J3: is read and written back to the last bit, and so are its arrays',
    async () => {
      const types = await sql.run(`
        select t.typname, t.oid::regtype::text, (t.typarray <> 0)::text
        from pg_type as t left join pg_class as c on c.oid = t.typrelid
        where t.typtype in ('b', 'c', 'd', 'e', 'm', 'r') and t.typisdefined and t.typname !~ '^lockstep'
          and (c.oid is null or c.relkind = 'c')
          and not exists (select from pg_type as e where e.typarray = t.oid)
          and t.typnamespace in ('pg_catalog'::regnamespace, 'public'::regnamespace)
        order by t.typname`);
      expect(types.length).toBeGreaterThan(70);
      const untold = types.filter(([name = '']) => PG_SAMPLES[name ?? ''] === undefined);
      expect(untold, 'types without samples').toEqual([]);
      for (const [name, sqlType, hasArray] of types) {
        const samples = PG_SAMPLES[name ?? ''];
        if (!name || !sqlType) throw new Error('no name');
        if (samples === null || samples === undefined) {
          const table = `refused_${++tables}`;
          await sql.run(`create table ${table} (id int primary key, v ${sqlType})`);
          const { faults } = await bindResources(
            [config({ name: table, table, cacheKey: `${table}:{id}` })],
            database.catalog,
          );
          expect(faults.map(({ path, message }) => `${path} ${message}`)).toEqual([
            expect.stringContaining(`resources.${table}.columns v is of type ${sqlType}`),
          ]);
          continue;
        }
        const values = samples.map((sample) => `${text(sample)}::${sqlType}`);
        await roundTrip({ name, sql: sqlType, values });
        if (hasArray !== 'true') continue;
        const all = `array[${[...values, 'null'].join(', ')}]::${sqlType}[]`;
        const [first = 'null'] = values;
        const arrays = [
          all,
          `array[]::${sqlType}[]`,
          `array[null]::${sqlType}[]`,
          `array[array[${first}, null], array[null, ${first}]]::${sqlType}[]`,
          `array_fill(${first}, array[2], array[0])`,
        ];
        await roundTrip({ name: `${name}[]`, sql: `${sqlType}[]`, values: arrays });
      }
    },
    300_000,
  );

  it.runIf(client === 'mysql2')(
    'J3: is read and written back to the last bit',
    async () => {
      const isMariaDb = String((await sql.run('select version()'))[0]?.[0]).includes('MariaDB');
      const plugins = isMariaDb
        ? await sql.run(
            `select plugin_name from information_schema.plugins where plugin_type = 'DATA TYPE'`,
          )
        : [];
      const known = MYSQL_SAMPLES.map(([definition]) => definition);
      for (const [name] of plugins) {
        expect(known.some((definition) => definition.startsWith(String(name)))).toBe(true);
      }
      let tried = 0;
      for (const [definition, ...samples] of MYSQL_SAMPLES) {
        const isThere = await sql.run(`create table probe_${++tables} (v ${definition})`).then(
          () => true,
          () => false,
        );
        if (!isThere) continue;
        const more = definition === 'json' && isMariaDb ? MARIADB_DOCUMENTS : [];
        await roundTrip({ name: definition, sql: definition, values: [...samples, ...more] });
        tried += 1;
      }
      expect(tried).toBeGreaterThan(55);
    },
    300_000,
  );

  it.runIf(client === 'pg')('is read with all its digits whatever the role has set', async () => {
    await sql.run(`alter role current_user set extra_float_digits = 0`);
    const other = await openTestDatabase(client);
    try {
      await other.execute('create table floats (id int primary key, v float8, w float4)');
      await other.execute('insert into floats values (1, 0.30000000000000004, 16777216)');
      const { resources } = await bindResources(
        [config({ name: 'floats', table: 'floats', cacheKey: 'floats:{id}' })],
        other.catalog,
      );
      const [resource] = resources;
      if (resource === undefined) throw new Error('no resource');
      const { row } = await other.rows.read(keyFromText(resource, '1'));
      expect(row).toEqual({ id: 1, v: 0.30000000000000004, w: 16777216 });
    } finally {
      await sql.run(`alter role current_user reset extra_float_digits`);
      await other.drop();
    }
  });
});
