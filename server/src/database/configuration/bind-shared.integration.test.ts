import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyFromRowText, makeKey, type Resource, siblingKeys } from '../../domain/index.ts';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import { bindResources, type ResourceConfig } from './bind-resources.ts';
import { createRowNames, NO_ROW_NAMES, type RowNames } from './names.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

const TABLES: Record<DatabaseClient, string[]> = {
  pg: [
    'create table users (id integer primary key, mail text not null unique, name text)',
    'create table parts (region text, sku text, stock integer, primary key (region, sku))',
    `create table logs (day integer, id integer, body text, primary key (day, id)) partition by range (day)`,
    'create table logs_1 partition of logs for values from (1) to (2)',
  ],
  mysql2: [
    'create table users (id integer primary key, mail varchar(90) not null unique, name text) collate utf8mb4_bin',
    'create table parts (region varchar(40), sku varchar(40), stock integer, primary key (region, sku)) collate utf8mb4_bin',
  ],
};

describe.each(installedClients())('resources over one table on %s', (client) => {
  let database: TestDatabase;
  let names: RowNames;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    for (const sql of TABLES[client]) await database.execute(sql);
    names = createRowNames(database.sql);
  });
  afterAll(() => database?.drop());

  const user = (rest: Partial<ResourceConfig>): ResourceConfig => {
    const { name = 'user', key = ['id'] } = rest;
    const cacheKey = [name, ...key.map((column) => `{${column}}`)].join(':');
    return config({ name, key, table: 'users', cacheKey, policy: 'delete-after-write', ...rest });
  };
  const parts = (rest: Partial<ResourceConfig>): ResourceConfig =>
    user({ table: 'parts', key: ['region', 'sku'], ...rest });
  const bind = (...configs: ResourceConfig[]): ReturnType<typeof bindResources> =>
    bindResources(configs, database.catalog, names);
  const bound = async (...configs: ResourceConfig[]): Promise<Resource[]> => {
    const { resources, faults } = await bind(...configs);
    expect(faults).toEqual([]);
    return resources;
  };
  const rowsOf = (resources: readonly Resource[], ...values: string[]): string[] =>
    resources.map((resource) => {
      const { rows, rowText } = makeKey(
        resource,
        resource.keyColumns.map((_, at) => values[at] ?? ''),
      );
      return `${rows} ${rowText}`;
    });

  it('K2: share a row whatever the order of their key columns, and find it from each other', async () => {
    const [one, other] = await bound(
      parts({ name: 'part', policy: 'strict' }),
      parts({ name: 'swapped', key: ['sku', 'region'] }),
    );
    if (!one || !other) throw new Error('not bound');
    const key = makeKey(one, ['eu', 'a,b']);
    const same = makeKey(other, ['a,b', 'eu']);
    expect([key.lockKey, key.rows, key.rowText]).toEqual([same.lockKey, same.rows, same.rowText]);
    expect(siblingKeys(same).map(({ text }) => text)).toEqual([key.text]);
    expect(siblingKeys(key).map(({ cacheKey }) => cacheKey)).toEqual([same.cacheKey]);
    for (const each of [key, same])
      expect(keyFromRowText(each.resource, each.rowText)).toEqual(each);
  });

  it('K2: keep the name of their rows when resources come, go and are renamed', async () => {
    expect(rowsOf(await bound(user({})), '1')).toEqual(['user 1']);
    const pair = [user({}), user({ name: 'person', policy: 'strict' })];
    const [name] = rowsOf(await bound(...pair), '1');
    expect(rowsOf(await bound(...pair.reverse()), '1')).toEqual([name, name]);
    expect(rowsOf(await bound(user({ name: 'reader' })), '1')).toEqual([name]);
    // The name is taken: another table's rows are not kept under it.
    const [elsewhere] = await bound(parts({ name: name?.split(' ')[0] ?? '' }));
    expect(elsewhere?.shared?.name).not.toBe(name?.split(' ')[0]);
  });

  it('K2: by another unique key invalidate each other, and are refused where one is strict', async () => {
    const [one, other] = await bound(user({}), user({ name: 'by-mail', key: ['mail'] }));
    expect(one?.invalidates.map(({ text }) => text)).toEqual(['by-mail:{mail}']);
    expect(other?.invalidates.map(({ text }) => text)).toEqual(['user:{id}']);
    const strict = user({ name: 'by-mail', key: ['mail'], policy: 'strict' });
    const { faults } = await bind(user({}), strict);
    const texts = faults.map(({ path, message }) => `${path} ${message}`);
    expect(texts[0]).toContain('resources.user.key names the rows of users by id');
    expect(texts[0]).toContain('by-mail, which is strict, by mail');
    expect(texts[0]).toContain('allowed: the same key columns, or user as a query with dependsOn');
    const [reader] = await bound(user({ policy: 'none' }), strict);
    expect(reader?.writtenThrough).toBe('by-mail');
  });

  it('K2: whose columns hide what another one’s cache keys are made of are refused', async () => {
    const { faults } = await bind(
      user({ columns: ['id', 'name'] }),
      user({ name: 'by-mail', key: ['mail'] }),
    );
    expect(faults).toEqual([expect.objectContaining({ path: 'resources.user.columns' })]);
  });

  it.runIf(client === 'pg')('K2: over a partition and its table share rows', async () => {
    const [whole, part] = await bound(
      user({ name: 'log', table: 'logs', key: ['day', 'id'] }),
      user({ name: 'log-1', table: 'public.logs_1', key: ['id', 'day'] }),
    );
    if (!whole || !part) throw new Error('not bound');
    expect(makeKey(whole, ['1', '7']).lockKey).toBe(makeKey(part, ['7', '1']).lockKey);
  });

  it('K2: are bound without a store for names too, as a check does', async () => {
    const { faults } = await bindResources(
      [user({}), user({ name: 'twin' })],
      database.catalog,
      NO_ROW_NAMES,
    );
    expect(faults).toEqual([]);
  });
});
