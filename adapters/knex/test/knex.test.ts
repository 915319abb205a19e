import { join } from 'node:path';
import knexOf, { type Knex } from 'knex';
import { describe, expect, test } from 'vitest';
import type { ColumnKind } from '@lockstep/client/sql';
import {
  cachedProfile,
  describeReadme,
  describeShop,
  newId,
} from '@lockstep/adapter-testing/suite';
import { type DatabaseClient, installedClients } from '@lockstep/testkit/servers';
import { openShop } from '../example.ts';
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

const OPEN: Record<DatabaseClient, (url: string) => Knex> = {
  pg: (connection) => knexOf({ client: 'pg', connection }),
  mysql2: (url) => {
    const { hostname: host, port, username: user, pathname } = new URL(url);
    const database = pathname.slice(1);
    const connection = { host, port: Number(port), user, database, timezone: 'Z' };
    return knexOf({ client: 'mysql2', connection });
  },
};

describe.each(installedClients())('Knex on %s', (client) => {
  let knex: Knex;
  const { bed } = describeShop(client, ({ databaseUrl, lockstep }) => {
    knex = OPEN[client](databaseUrl);
    const columns = OF_CLIENT[client];
    const read = createRead(lockstep, knex, {
      profile: { table: 'profiles', key: ['id'], columns },
    });
    return {
      shop: { ...openShop(lockstep, knex), profile: (id) => read('profile', id) },
      stored: (id) => knex('profiles').where({ id }).first(Object.keys(columns)),
      invalidate: (resource, key, failure) =>
        knex.transaction(async (trx) => {
          await invalidate(trx, resource, key);
          if (failure !== undefined) throw failure;
        }),
      // @ts-expect-error it is no transaction
      invalidateAlone: () => invalidate(knex, 'profile', 1),
      close: () => knex.destroy(),
    };
  });

  test('the README reads what its columns say', async () => {
    const id = await cachedProfile(bed());
    const read = await openShop(bed().lockstep, knex).profile(id);
    expect(read).toStrictEqual({ id: String(id), name: 'Ada' });
  });

  test('a value that the cache cannot give as its column says is read by Knex', async () => {
    const id = await cachedProfile(bed());
    const columns = { name: 'number' } as const;
    const read = createRead(bed().lockstep, knex, {
      profile: { table: 'profiles', key: ['id'], columns },
    });
    await bed().plain.run(`update profiles set name = 'Bea' where id = ${id}`);
    expect(await read('profile', id)).toStrictEqual({ name: 'Bea' });
  });

  test('a guard outside of a transaction is refused', async () => {
    const id = newId();
    await bed().plain.run(`insert into accounts values (${id}, 'Ada', 1)`);
    // @ts-expect-error it is no transaction
    const work = bed().lockstep.guard([['account', id]], (guard) => callGuard(knex, guard));
    await expect(work).rejects.toThrow(/transaction/);
  });

  test('reads are refused where Knex changes rows', () => {
    const changing = knexOf({ client, postProcessResponse: (rows: unknown) => rows });
    expect(() => createRead(bed().lockstep, changing, {})).toThrow(/postProcessResponse/);
  });
});

describeReadme(join(import.meta.dirname, '..'));
