import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeholderOf, tableName, type Key } from '../domain/index.ts';
import { installedClients, isMysqlInstalled } from '@lockstep/testkit/servers';
import type { ChangeLog } from './index.ts';
import { openWorld, until, type World } from './testing/world.ts';

/** How long it may take after the commit: the check of the catalog, the sweep, and some time for a busy machine. */
const WITHIN_MS = 60_000;

const READING = { name: 'reading', table: 'reading', key: ['day', 'id'] };
const PRICE = { name: 'price', table: 'price', cacheKey: 'price:{id}' };

async function soonGone(world: World, key: Key): Promise<void> {
  await until(async () => (await world.reads.read(key)).row === null, 'the row', WITHIN_MS);
}

describe('DDL that the log does not contain, on PostgreSQL', () => {
  let world: World;
  let log: ChangeLog;
  beforeAll(async () => {
    world = await openWorld('pg', undefined, {
      ddl: [
        `create table reading (day int, id int, v int, primary key (day, id)) partition by range (day)`,
        ...[1, 2, 3, 4].map(
          (day) =>
            `create table reading_${day} partition of reading for values from (${day}) to (${day + 1})`,
        ),
        'insert into reading select day, 1, day from generate_series(1, 4) as day',
        'create table price (id int primary key, amount int)',
        'insert into price values (1, 1250)',
      ],
      configs: [{ ...READING, cacheKey: 'reading:{day}:{id}', policy: 'strict' }, PRICE],
    });
    log = world.follow();
    await until(() => log.report().state === 'streaming', 'following the log');
  });
  afterAll(() => world?.close());

  it.each([
    [1, 'drop table reading_1'],
    [2, 'alter table reading detach partition reading_2'],
    [3, 'truncate reading_3'],
  ])('C4: rows of a partition that is taken away are soon not served (%i)', async (day, ddl) => {
    const key = world.key('reading', day, 1);
    await world.cached(key);
    await world.database.execute(ddl);
    await soonGone(world, key);
  });

  it('C4: rows of a partition that is put there are soon served', async () => {
    const key = world.key('reading', 9, 1);
    expect((await world.reads.read(key)).row).toBeNull();
    await world.database.execute(
      'create table reading_9 (day int not null, id int not null, v int)',
    );
    await world.database.execute('insert into reading_9 values (9, 1, 90)');
    await world.database.execute(
      'alter table reading attach partition reading_9 for values from (9) to (10)',
    );
    await until(async () => (await world.reads.read(key)).row?.v === 90, 'the row', WITHIN_MS);
  });

  it('C4: rows whose column was rewritten are soon served new, without another change', async () => {
    const key = world.key('price', 1);
    await world.cached(key);
    await world.database.execute('alter table price alter column amount type int using amount * 2');
    await until(async () => (await world.reads.read(key)).row?.amount === 2500, 'it', WITHIN_MS);
  });

  it('C4: a partition that went while nobody followed is swept when the log is followed again', async () => {
    const key = world.key('reading', 4, 1);
    await world.cached(key);
    await log.stop();
    await world.database.execute('drop table reading_4');
    expect((await world.reads.read(key)).row).not.toBeNull();
    log.start();
    await soonGone(world, key);
  });
});

describe.skipIf(!isMysqlInstalled())('what sessions leave out of the binlog', () => {
  let world: World;
  let log: ChangeLog;
  beforeAll(async () => {
    world = await openWorld('mysql2', undefined, {
      ddl: [
        'create table acct (id int primary key, alt int unique, owner varchar(20), bal int)',
        ...[1, 2, 3, 4, 5].map((id) => `insert into acct values (${id}, 10${id}, 'ann', 10)`),
        'create view balances as select id, bal from acct',
        `create table reading (day int, id int, v int, primary key (day, id))
         partition by list (day) (partition p1 values in (1), partition p2 values in (2), partition p3 values in (3))`,
        'create table aside (day int, id int, v int, primary key (day, id))',
        'insert into reading values (1, 1, 10), (2, 1, 20), (3, 1, 30)',
      ],
      configs: [
        { name: 'acct', table: 'acct', cacheKey: 'acct:{id}', policy: 'delete-after-write' },
        { name: 'alt', table: 'acct', key: ['alt'], cacheKey: 'alt:{alt}' },
        { name: 'owned', table: 'acct', cacheKey: 'owned:{id}', invalidates: ['by-owner:{owner}'] },
        { ...READING, cacheKey: 'reading:{day}:{id}' },
      ],
    });
    log = world.follow();
    await until(() => log.report().state === 'streaming', 'following the log');
  });
  afterAll(() => world?.close());

  /** In a session of its own. */
  async function session(...statements: string[]): Promise<void> {
    const connection = await createConnection(world.database.url);
    try {
      for (const statement of statements) await connection.query(statement);
    } finally {
      await connection.end();
    }
  }

  it.each([
    [1, 'FULL', 'ROW', 'update acct set bal = 11 where id = 1'],
    [2, 'MINIMAL', 'ROW', 'update acct set bal = 11 where id = 2'],
    [3, 'NOBLOB', 'ROW', 'update acct set bal = 11 where id = 3'],
    [4, 'FULL', 'STATEMENT', 'update acct set bal = 11 where id = 4'],
    [5, 'FULL', 'STATEMENT', 'update balances set bal = 11 where id = 5'],
  ])(
    'C4: every entry of row %i is soon new (%s images, format %s)',
    async (id, image, format, update) => {
      const keys = [world.key('acct', id), world.key('alt', 100 + id)];
      for (const key of keys) await world.cached(key);
      await world.behind.set('by-owner:ann', JSON.stringify('kept'));
      await session(
        `set session binlog_row_image = '${image}'`,
        `set session binlog_format = '${format}'`,
        update,
      );
      for (const key of keys)
        await until(
          async () => (await world.reads.read(key)).row?.bal === 11,
          key.cacheKey,
          WITHIN_MS,
        );
      if (format === 'STATEMENT' || image === 'MINIMAL') {
        await until(() => /acct: .*(ROW|FULL) in every session/.test(log.report().detail ?? ''));
      }
    },
  );

  it('sweeps nothing for DDL of another database of the server', async () => {
    const { sweeps, changes } = log.counts();
    const other = `beside_${Date.now()}`;
    await session(
      `create database ${other}`,
      `use ${other}`,
      'create table acct (id int primary key)',
      'truncate acct',
      `drop database ${other}`,
    );
    await session('update acct set owner = owner, bal = bal + 1 where id = 1');
    await until(() => log.counts().changes > changes, 'the change after the DDL');
    expect(log.counts().sweeps).toBe(sweeps);
  });

  it.each([
    [1, 'alter table reading drop partition p1'],
    [2, 'alter table reading truncate partition p2'],
    [3, 'alter table reading exchange partition p3 with table aside'],
  ])('C4: rows that DDL took away are soon not served (%i)', async (day, ddl) => {
    const key = world.key('reading', day, 1);
    await world.cached(key);
    await session(ddl);
    await soonGone(world, key);
  });
});

const NAMES = [
  'constructor',
  'toString',
  'a.b',
  'with "quotes" and `ticks`',
  ':id',
  '{{x}}',
  '--',
  '列?',
];

describe.each(installedClients())('names of any make in the change log on %s', (client) => {
  let world: World;
  const quote = (name: string): string =>
    client === 'pg' ? `"${name.replaceAll('"', '""')}"` : `\`${name.replaceAll('`', '``')}\``;

  beforeAll(async () => {
    world = await openWorld(client, undefined, {
      ddl: NAMES.flatMap((name) => [
        `create table ${quote(name)} (${quote(name)} int primary key, ${quote(`${name}2`)} int)`,
        `insert into ${quote(name)} values (1, 10)`,
      ]),
      configs: NAMES.map((name, index) => ({
        name: `named-${index}`,
        table: tableName([name]),
        key: [name],
        cacheKey: `named-${index}:${placeholderOf(name)}`,
      })),
    });
    const log = world.follow();
    await until(() => log.report().state === 'streaming', 'following the log');
  });
  afterAll(() => world?.close());

  it.each(NAMES.map((name, index) => [name, index] as const))(
    'C1: a row of %j that was changed behind its back is soon served new',
    async (name, index) => {
      const key = world.key(`named-${index}`, 1);
      await world.cached(key);
      await world.database.execute(`update ${quote(name)} set ${quote(`${name}2`)} = 11`);
      const isNew = async (): Promise<boolean> =>
        (await world.reads.read(key)).row?.[`${name}2`] === 11;
      await until(isNew, 'the row', WITHIN_MS);
    },
  );
});
