import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import { bindResources, type ResourceConfig } from './bind-resources.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

const TABLES: Record<DatabaseClient, string[]> = {
  pg: [
    `create type mood as enum ('good', 'bad')`,
    'create domain short as varchar(5) not null',
    `create table kinds (
      id bigint generated always as identity primary key,
      a smallint default 1, b integer not null, c numeric(5, 2), d real, e varchar(9), f character(3),
      g boolean, h timestamp, i date, j time, k jsonb, l bytea, m uuid unique, n mood, o short,
      p int[], q integer generated always as (b + 1) stored,
      r text collate "C", s double precision unique, t timestamptz unique, u mood unique, v char(2) unique,
      unique (e, b)
    )`,
    'create unique index on kinds (lower(e))',
    'create unique index on kinds (a) where b > 0',
    'create view seen as select * from kinds',
    'create schema other',
    'create table other."Odd name" ("the key" text primary key)',
  ],
  mysql2: [
    `create table kinds (
      id bigint auto_increment primary key,
      a smallint unsigned default 1, b integer not null, c numeric(5, 2), d float, e varchar(9), f character(3),
      g boolean, h datetime(3), i date, j time, k json, l varbinary(5), m char(36) unique, n enum('good', 'bad'),
      o text, q integer generated always as (b + 1) stored,
      s double unique, t timestamp(6) null unique, u enum('x') unique, v char(2) unique,
      unique (e, b), unique (o(10))
    )`,
    'create view seen as select * from kinds',
  ],
};

/** What is no table of the database's own, with the statements that make it. */
const UNFIT_TABLES: Record<DatabaseClient, string[]> = {
  pg: [
    'create table plain (id int primary key)',
    'create view view_of as select * from plain',
    'create materialized view summary as select * from plain',
    'create unique index on summary (id)',
    'create table parent (id int primary key)',
    'create table child (primary key (id)) inherits (parent)',
    'create foreign data wrapper nothing',
    'create server far foreign data wrapper nothing',
    'create foreign table abroad (id int) server far',
  ],
  mysql2: [
    'create table plain (id int primary key)',
    'create view view_of as select * from plain',
    'create table old (id int primary key) engine = myisam',
  ],
};

const UNFIT: Record<DatabaseClient, [what: string, table: string, said: string][]> = {
  pg: [
    ['a view', 'view_of', 'is a view; allowed: the table'],
    ['a materialized view', 'summary', 'is a materialized view'],
    ['a table with child tables', 'parent', 'has child tables (inheritance)'],
    ['a foreign table', 'abroad', 'is a foreign table'],
  ],
  mysql2: [
    ['a view', 'view_of', 'is a view; allowed: the table'],
    ['a table without transactions', 'old', 'is kept by MyISAM, which has no transactions'],
  ],
};

describe.each(installedClients())('catalog and resources on %s', (client) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    for (const sql of [...TABLES[client], ...UNFIT_TABLES[client]]) await database.execute(sql);
  });
  afterAll(() => database?.drop());

  const kinds = (rest: Partial<ResourceConfig>): ResourceConfig =>
    config({ name: 'kind', table: 'kinds', cacheKey: 'kind:{id}', ...rest });
  const faultsOf = async (...configs: ResourceConfig[]): Promise<string[]> =>
    (await bindResources(configs, database.catalog)).faults.map(
      ({ path, message }) => `${path} ${message}`,
    );

  it('describes every kind of column', async () => {
    const table = await database.catalog.describeTable('kinds');
    const types = Object.fromEntries((table?.columns ?? []).map(({ name, type }) => [name, type]));
    expect(types).toMatchObject({
      id: 'bigint',
      a: 'integer',
      b: 'integer',
      c: 'decimal',
      d: 'real',
      e: 'text',
      f: 'text',
      g: 'boolean',
      h: 'timestamp',
      i: 'date',
      j: 'time',
      k: 'json',
      l: 'bytes',
      m: client === 'pg' ? 'uuid' : 'text',
      n: 'other',
      o: 'text',
      ...(client === 'pg' ? { p: 'integer[]' } : {}),
      q: 'integer',
      s: 'float',
      t: 'timestamp',
    });
    const column = (name: string) => table?.columns.find((candidate) => candidate.name === name);
    expect(column('id')).toMatchObject({
      nullable: false,
      identity: true,
      generated: client === 'pg',
    });
    expect(column('a')).toMatchObject({ hasDefault: true, nullable: true });
    expect(column('a')?.range).toEqual(
      client === 'pg' ? { min: -32768n, max: 32767n } : { min: 0n, max: 65535n },
    );
    expect(column('b')).toMatchObject({ hasDefault: false, nullable: false, generated: false });
    expect(column('e')?.maxLength).toBe(9);
    expect(column('f')?.maxLength).toBe(3);
    expect(column('o')?.maxLength).toBe(client === 'pg' ? 5 : null);
    expect(column('q')).toMatchObject({ generated: true });
    expect(table?.primaryKey).toEqual(['id']);
    expect(table?.uniqueKeys).toContainEqual(['e', 'b']);
    expect(table?.uniqueKeys.every((key) => !key.includes('o') && !key.includes('a'))).toBe(true);
    expect(await database.catalog.describeTable('nothing')).toBeNull();
  });

  it('binds a resource, frozen, with the key among its columns', async () => {
    const { resources, faults } = await bindResources(
      [
        kinds({
          key: ['b', 'e'],
          columns: ['c'],
          cacheKey: 'kind:{e}:{b}',
          invalidates: ['c:{c}'],
        }),
      ],
      database.catalog,
    );
    expect(faults).toEqual([]);
    const [resource] = resources;
    expect(resource?.keyColumns.map((column) => column.name)).toEqual(['b', 'e']);
    expect(resource?.columns.map((column) => column.name)).toEqual(['b', 'e', 'c']);
    expect(Object.isFrozen(resource)).toBe(true);
  });

  it('names a table that is not there', async () => {
    expect(await faultsOf(kinds({ table: 'nothing' }))).toEqual([
      expect.stringMatching(/^resources\.kind\.table there is no table nothing; allowed: /),
    ]);
  });

  it('names columns that are not there', async () => {
    expect(
      await faultsOf(kinds({ key: ['idd'], columns: ['idd', 'x', 'b'], cacheKey: 'kind:{idd}' })),
    ).toEqual([
      expect.stringContaining(
        'resources.kind.key there is no column idd in kinds; allowed: id, a, ',
      ),
      expect.stringContaining('resources.kind.columns there is no column idd'),
      expect.stringContaining('resources.kind.columns there is no column x'),
    ]);
  });

  it('refuses a key that is not unique, or is of a wrong type', async () => {
    const one = (key: string): Promise<string[]> =>
      faultsOf(kinds({ key: [key], cacheKey: `kind:{${key}}` }));
    expect(await one('b')).toEqual([
      expect.stringContaining('resources.kind.key is not a unique key of kinds'),
    ]);
    expect(await one('s')).toEqual([expect.stringContaining('s is of type double')]);
    expect(await one('t')).toEqual([]);
    expect(await one('u')).toEqual([]);
    expect(await one('v')).toEqual([]);
    expect(await one('m')).toEqual([]);
    const view = await faultsOf(kinds({ table: 'seen' }));
    expect(view).toEqual([
      expect.stringMatching(/^resources\.kind\.table seen is a view; allowed: /),
    ]);
  });

  it.each(UNFIT[client])(
    'refuses to stand on %s, and says on what it can',
    async (_, table, said) => {
      expect(await faultsOf(config({ table }))).toEqual([
        expect.stringContaining(`resources.account.table ${table} ${said}`),
      ]);
    },
  );

  it('refuses templates that do not fit', async () => {
    expect(await faultsOf(kinds({ cacheKey: 'kind:{b}' }))).toEqual([
      expect.stringContaining(
        'resources.kind.cacheKey names other columns than the key; allowed: exactly {id}',
      ),
    ]);
    expect(await faultsOf(kinds({ cacheKey: 'kind:{id' }))).toEqual([
      expect.stringContaining('resources.kind.cacheKey has a brace'),
    ]);
    expect(await faultsOf(kinds({ columns: ['b'], invalidates: ['x:{b}', 'c:{c}'] }))).toEqual([
      expect.stringContaining('resources.kind.invalidates.1 names c'),
    ]);
    const twin = kinds({ name: 'twin', cacheKey: 'kind:{id}' });
    expect(await faultsOf(kinds({}), twin)).toEqual([
      expect.stringContaining('resources.twin.cacheKey gives the same cache keys as resource kind'),
    ]);
    const apart = kinds({ name: 'apart', cacheKey: 'kind:a{id}', invalidates: ['lockstep:{b}'] });
    expect(await faultsOf(kinds({}), apart)).toEqual([
      expect.stringContaining('resources.apart.invalidates.0 lockstep:{b} can name keys that Lock'),
    ]);
  });

  it.runIf(client === 'pg')('binds a table of another schema, with any name', async () => {
    const odd = config({
      name: 'odd',
      table: 'other.Odd name',
      key: ['the key'],
      cacheKey: 'odd:{the key}',
    });
    expect(await faultsOf(odd)).toEqual([]);
  });

  it.runIf(client === 'pg')('refuses a key that takes different texts for equal', async () => {
    await database.execute(
      `create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await database.execute('create table people (name text collate loose primary key)');
    const people = config({
      name: 'person',
      table: 'people',
      key: ['name'],
      cacheKey: 'person:{name}',
    });
    expect(await faultsOf(people)).toEqual([
      expect.stringContaining('name takes different texts for equal'),
    ]);
  });
});
