import { join } from 'node:path';
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import {
  cachedProfile,
  describeReadme,
  describeShop,
  newId,
} from '@lockstep/adapter-testing/suite';
import type { ColumnKind } from '@lockstep/client/sql';
import { type DatabaseClient, installedClients } from '@lockstep/testkit/servers';
import { openShop, type Tables } from '../example.ts';
import { callGuard, createRead, invalidate } from '../src/index.ts';

/** What both drivers give. Whole numbers of 64 bits are text on PostgreSQL and numbers on MySQL. */
const COLUMNS: Record<string, ColumnKind> = {
  name: 'string',
  score: 'string',
  visits: 'number',
  seen_at: 'date',
  birthday: 'day',
  photo: 'bytes',
};
const OF_CLIENT: Record<DatabaseClient, Record<string, ColumnKind>> = {
  pg: { id: 'string', active: 'boolean', document: 'json', ...COLUMNS },
  // JSON is text on MariaDB, as it was written: the cache cannot give that.
  mysql2: { id: 'number', active: 'number', ...COLUMNS },
};

const DIALECT: Record<DatabaseClient, (url: string) => PostgresDialect | MysqlDialect> = {
  pg: (connectionString) => new PostgresDialect({ pool: new pg.Pool({ connectionString }) }),
  mysql2: (uri) => new MysqlDialect({ pool: createPool({ uri, timezone: 'Z' }) }),
};

describe.each(installedClients())('Kysely on %s', (client) => {
  let db: Kysely<Tables>;
  const { bed } = describeShop(client, ({ databaseUrl, lockstep }) => {
    db = new Kysely<Tables>({ dialect: DIALECT[client](databaseUrl) });
    const columns = OF_CLIENT[client];
    const read = createRead(lockstep, db, { profile: { table: 'profiles', key: ['id'], columns } });
    const names = Object.keys(columns) as (keyof Tables['profiles'])[];
    return {
      shop: { ...openShop(lockstep, db), profile: (id) => read('profile', id) },
      stored: (id) =>
        db.selectFrom('profiles').select(names).where('id', '=', id).executeTakeFirst(),
      invalidate: (resource, key, failure) =>
        db.transaction().execute(async (trx) => {
          await invalidate(trx, resource, key);
          if (failure !== undefined) throw failure;
        }),
      // @ts-expect-error it is no transaction
      invalidateAlone: () => invalidate(db, 'profile', 1),
      close: () => db.destroy(),
    };
  });

  test('the README reads what its columns say', async () => {
    const id = await cachedProfile(bed());
    const read = await openShop(bed().lockstep, db).profile(id);
    expect(read).toStrictEqual({ id: String(id), name: 'Ada' });
  });

  test('a value that the cache cannot give as its column says is read by Kysely', async () => {
    const id = await cachedProfile(bed());
    const columns = { name: 'number' } as const;
    const read = createRead(bed().lockstep, db, {
      profile: { table: 'profiles', key: ['id'], columns },
    });
    await bed().plain.run(`update profiles set name = 'Bea' where id = ${id}`);
    expect(await read('profile', id)).toStrictEqual({ name: 'Bea' });
  });

  test('what needs a transaction is refused without one, and a read in one', async () => {
    const id = newId();
    await bed().plain.run(`insert into accounts values (${id}, 'Ada', 1)`);
    // @ts-expect-error it is no transaction
    const work = bed().lockstep.guard([['account', id]], (guard) => callGuard(db, guard));
    await expect(work).rejects.toThrow(/transaction/);
    await db.transaction().execute((trx) => {
      const read = () => createRead<Tables, Record<string, never>>(bed().lockstep, trx, {});
      expect(read).toThrow(/transaction/);
      return Promise.resolve();
    });
  });
});

describeReadme(join(import.meta.dirname, '..'));
