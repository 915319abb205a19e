import fc from 'fast-check';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, placeholderOf, tableName, type Resource } from '../../domain/index.ts';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import { quoteName, quoteTable } from '../statements/sql-text.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { DIALECTS } from '../../dialects/index.ts';

/** Names that mean something elsewhere: to JavaScript, to SQL, to templates, to drivers. */
const HOSTILE = [
  'constructor',
  'valueOf',
  'toString',
  'hasOwnProperty',
  '__proto__',
  'prototype',
  'toJSON',
  'a.b',
  'app."x"',
  'with blank',
  "o'clock",
  '5" pipe',
  'back`tick',
  'back\\slash',
  'what?',
  '??',
  '$1',
  '$inc',
  ':name',
  ':key_0',
  'id::text',
  '{{columns}}',
  '{id}',
  'a}b',
  '--',
  'a\n-- b',
  '/* c */',
  ';drop table x',
  '%s',
  'UPPER',
  'ünïcödé',
  '列',
  'select',
  'order',
  'k',
  'r',
  'version',
  'fence',
  'key',
  'asked',
  'changed',
  'before',
  'noted',
  'own_key',
  'counted',
  'x'.repeat(63),
];

/** What the server takes for a name: PostgreSQL counts bytes, MySQL characters of the first plane; no blank at its end. */
function isName(client: DatabaseClient, name: string): boolean {
  if (client === 'pg') return Buffer.byteLength(name) <= 63;
  return [...name].length <= 64 && !name.endsWith(' ') && !/[\u{10000}-\u{10FFFF}]/u.test(name);
}

describe.each(installedClients())('names of any make on %s', (client) => {
  let database: TestDatabase;
  let execute: (sql: string) => Promise<unknown>;
  let close: () => Promise<void>;
  let count = 0;

  beforeAll(async () => {
    database = await openTestDatabase(client);
    if (client === 'pg') {
      const direct = new pg.Client({ connectionString: database.url });
      await direct.connect();
      execute = (sql) => direct.query(sql);
      close = () => direct.end();
    } else {
      const direct = await createConnection(database.url);
      execute = (sql) => direct.query(sql);
      close = () => direct.end();
    }
  });
  afterAll(async () => {
    await close?.();
    await database?.drop();
  });

  const quote = (name: string): string => quoteName(DIALECTS[client].spelling, name);

  async function bind(table: string, keys: string[], others: string[]): Promise<Resource> {
    await execute(
      `create table ${quoteTable(DIALECTS[client].spelling, table)} (${[
        ...keys.map((name) => `${quote(name)} int not null`),
        ...others.map((name) => `${quote(name)} bigint`),
        `primary key (${keys.map(quote).join(', ')})`,
      ].join(', ')})`,
    );
    const name = `named-${++count}`;
    const cacheKey = [name, ...keys.map(placeholderOf)].join(':');
    const invalidates = [`${name}-by:${placeholderOf(others[0] ?? '')}`];
    const { resources, faults } = await bindResources(
      [config({ name, table, key: keys, cacheKey, invalidates })],
      database.catalog,
    );
    expect(faults).toEqual([]);
    const [resource] = resources;
    if (resource === undefined) throw new Error('not bound');
    return resource;
  }

  /** Every statement that there is for a table, and each value back where it was put. */
  async function exercise(table: string, keys: string[], others: string[]): Promise<void> {
    const resource = await bind(table, keys, others);
    const key = makeKey(resource, keys.map(String.bind(null, '7')));
    const filled = (from: number) =>
      Object.fromEntries(others.map((name, index) => [name, from + index]));
    const whole = (from: number) => ({
      ...Object.fromEntries(keys.map((name) => [name, 7])),
      ...filled(from),
    });
    const write = (change: Parameters<typeof database.rows.write>[0]['change']) =>
      database.rows.write({ key, change, outbox: true });

    const put = await write({ op: 'put', set: filled(1), onlyCreate: false });
    expect(put).toMatchObject({ status: 'applied', created: true });
    expect(entries(put)).toEqual(Object.entries(whole(1)));
    await write({ op: 'put', set: filled(10), onlyCreate: false });
    for (const name of others) {
      const set = Object.fromEntries([[name, 20]]);
      await write({ op: 'patch', set, increment: {} });
      const increment = Object.fromEntries([[name, '5']]);
      await write({ op: 'patch', set: {}, increment });
    }
    const all = Object.fromEntries([
      ...keys.map((name) => [name, 7]),
      ...others.map((name) => [name, 25]),
    ]) as object;
    expect(Object.entries((await database.rows.read(key)).row ?? {})).toEqual(Object.entries(all));
    const [many] = await database.rows.readMany(resource, [key]);
    expect(Object.entries(many?.row ?? {})).toEqual(Object.entries(all));
    const [kept] = await database.tables.readAll(resource, 10);
    expect(Object.entries(kept?.row ?? {})).toEqual(Object.entries(all));
    expect(kept?.key.text).toBe(key.text);
    expect((await database.rows.sampleKeys(resource, 5)).map(({ text }) => text)).toEqual([
      key.text,
    ]);
    const at = Object.fromEntries([[others[0] ?? '', 1]]);
    const [together] = await Promise.all([
      database.rows.writeTogether({
        writes: [{ key, change: { op: 'patch', set: at, increment: {} }, outbox: false }],
      }),
    ]);
    expect(together.status).toBe('applied');
    expect(await write({ op: 'delete' })).toMatchObject({ status: 'applied', row: null });
    await execute(`drop table ${quoteTable(DIALECTS[client].spelling, table)}`);
  }

  const entries = (result: object): unknown =>
    'row' in result && typeof result.row === 'object' && result.row !== null
      ? Object.entries(result.row)
      : null;

  it('all of them at once are columns', async () => {
    await exercise('hostile', ['id'], HOSTILE);
  });

  it.each(HOSTILE)('%j is a table, a key and a column', async (name) => {
    await exercise(tableName([name]), [name], [`${name.slice(0, 60)}'2`]);
  });

  it('a table with a dot is not one in a schema, and both are reached', async () => {
    const schema = client === 'pg' ? 'a' : `a${database.url.slice(-8)}`;
    await execute(`create schema ${quote(schema)}`);
    try {
      await exercise(tableName([`${schema}.b`]), ['id'], ['n']);
      await exercise(tableName([schema, 'b.c']), ['id'], ['n']);
    } finally {
      await execute(`drop schema ${quote(schema)}`);
    }
  });

  it('whatever is drawn is a table, a key and a column', async () => {
    const piece = fc.oneof(
      fc.constantFrom(...HOSTILE.filter((name) => name.length < 12)),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    );
    const name = fc
      .array(piece, { minLength: 1, maxLength: 4 })
      .map((pieces) => pieces.join('').replaceAll('\0', ''))
      .filter((text) => text !== '' && text.isWellFormed() && isName(client, text));
    const columns = fc.uniqueArray(name, {
      minLength: 3,
      maxLength: 6,
      // MySQL does not tell names of columns apart by case or accents.
      selector: (text) => text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase(),
    });
    await fc.assert(
      fc.asyncProperty(name, columns, async (table, [first = '', second = '', ...others]) => {
        // MySQL's file names: no dots or blanks at the end, and its own suffixes.
        await exercise(tableName([`t${table}`.slice(0, 40).trimEnd()]), [first, second], others);
      }),
      { numRuns: 25, interruptAfterTimeLimit: 20_000 },
    );
  });
});
