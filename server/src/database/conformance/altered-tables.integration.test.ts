import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, type Key } from '../../domain/index.ts';
import { bindResources } from '../configuration/bind-resources.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

const CONNECTIONS = 6;

describe('a table that is altered while it is in use, on PostgreSQL', () => {
  let database: TestDatabase;
  let tables = 0;
  beforeAll(async () => {
    database = await openTestDatabase('pg', { pool: { min: 0, max: CONNECTIONS } });
  });
  afterAll(() => database?.drop());

  /** A row of a table of its own, with its statements prepared on every connection. */
  async function prepared(): Promise<{ table: string; key: Key; use: () => Promise<unknown>[] }> {
    const table = `counters_${++tables}`;
    await database.execute(`create table ${table} (id int primary key, n int not null)`);
    await database.execute(`insert into ${table} values (1, 0)`);
    const named = { name: table, table, key: ['id'], cacheKey: `${table}:{id}` };
    const { resources } = await bindResources([config(named)], database.catalog);
    const [resource] = resources;
    if (resource === undefined) throw new Error('not bound');
    const key = makeKey(resource, ['1']);
    const change = { op: 'patch', set: {}, increment: { n: '1' } } as const;
    const use = (): Promise<unknown>[] =>
      Array.from({ length: 2 * CONNECTIONS }, (_, index) =>
        index % 3 === 0
          ? database.rows.read(key)
          : index % 3 === 1
            ? database.rows.write({ key, change, outbox: false })
            : database.rows.writeTogether({ writes: [{ key, change, outbox: false }] }),
      );
    for (let times = 0; times < 3; times++) await Promise.all(use());
    return { table, key, use };
  }

  it.each([
    ['a wider type', 'alter table :t alter column n type bigint'],
    ['a type that is rewritten', 'alter table :t alter column n type numeric(20, 2) using n / 1.0'],
    ['another column', 'alter table :t add column made timestamptz default now()'],
    [
      'a column in the place of the old one',
      'alter table :t drop column n, add column n bigint default 0',
    ],
  ])('answers every call after %s: reads, writes and transactions', async (_, ddl) => {
    const { table, use } = await prepared();
    await database.execute(ddl.replaceAll(':t', table));
    for (let times = 0; times < 3; times++) {
      const results = await Promise.allSettled(use());
      expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    }
  });

  it('counts each write once where its statement was sent again', async () => {
    const { table, key, use } = await prepared();
    const before = Number((await database.rows.read(key)).row?.n);
    await database.execute(`alter table ${table} alter column n type bigint`);
    const results = await Promise.all(use());
    const writes = results.filter(isWrite).length;
    expect(Number((await database.rows.read(key)).row?.n)).toBe(before + writes);
  });
});

const isWrite = (result: unknown): boolean =>
  typeof result === 'object' && result !== null && 'status' in result;
