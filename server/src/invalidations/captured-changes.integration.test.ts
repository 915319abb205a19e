/** Changes of programs that know nothing of Lockstep, noted by capture triggers, on real servers. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import { captureStatus, installCapture, uninstallCapture } from '../capture/index.ts';
import { bindResources, type ResourceConfig } from '../database/index.ts';
import type { Key, Resource } from '../domain/index.ts';
import type { CallingProgram } from './testing/calling-program.ts';
import { COMMON, openWorld, type World } from './testing/world.ts';

const CONFIGS: ResourceConfig[] = [
  { ...COMMON, name: 'pet', table: 'pets', cacheKey: 'pet:{id}' },
  { ...COMMON, name: 'note', table: 'notes', cacheKey: 'note:{id}', policy: 'change-log' },
  {
    ...COMMON,
    name: 'stay',
    table: 'stays',
    key: ['night', 'room'],
    cacheKey: 'stay:{night}:{room}',
  },
];

const LOGS: ResourceConfig = { ...COMMON, name: 'log', table: 'logs', cacheKey: 'log:{id}' };

const OTHER_TABLES = [
  'create table people (id integer primary key)',
  'create table pets (id integer primary key, person integer, constraint of_person foreign key (person) references people (id) on delete cascade)',
  'create table notes (id integer primary key, body integer)',
];
const MORE = {
  pg: {
    configs: [...CONFIGS, LOGS],
    tables: [
      ...OTHER_TABLES,
      'create table stays (night timestamptz, room bytea, guests integer, primary key (night, room))',
      'create table logs (id integer primary key, size integer) partition by range (id)',
      'create table logs_low partition of logs for values from (0) to (100)',
      'create table logs_high partition of logs for values from (100) to (1000)',
    ],
  },
  mysql2: {
    configs: CONFIGS,
    tables: [
      ...OTHER_TABLES,
      'create table stays (night timestamp(3) not null, room varbinary(20) not null, guests integer, primary key (night, room))',
    ],
  },
};

const values = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => `(${from + at}, 'ann')`).join();

describe.each(installedClients())('changes noted by capture triggers, on %s', (client) => {
  let world: World;
  let program: CallingProgram;
  const all = (): Resource[] => [...world.resources.values()];
  beforeAll(async () => {
    world = await openWorld(client, MORE[client]);
    program = await world.program();
    await installCapture(world.database.sql, all(), null);
    world.coordinate();
  });
  afterAll(() => world?.close());
  beforeEach(async () => {
    const partitioned = client === 'pg' ? ['logs'] : [];
    for (const table of ['accounts', 'vaults', 'pets', 'people', 'notes', 'stays', ...partitioned])
      await program.run(`delete from ${table}`);
    await world.carriedOut();
    await world.behind.flushall();
  });

  const states = (...keys: Key[]): Promise<(string | null)[]> => Promise.all(keys.map(world.state));

  it('C12: a changed row is invalidated, also a missing one that appears and one that goes', async () => {
    const key = world.key('account', 42);
    await world.reads.read(key);
    await program.run(`insert into accounts (id, owner) values (42, 'ann')`);
    await world.carriedOut();
    expect((await world.reads.read(key)).row).toMatchObject({ owner: 'ann' });
    await world.cached(key);
    await program.run(`update accounts set owner = 'bea' where id = 42`);
    await world.carriedOut();
    expect(await world.state(key)).toBe('tombstone');
    expect((await world.reads.read(key)).row).toMatchObject({ owner: 'bea' });
    await world.cached(key);
    await program.run(`delete from accounts where id = 42`);
    await world.carriedOut();
    expect((await world.reads.read(key)).row).toBeNull();
  });

  it('C12: nothing is noted of what rolls back', async () => {
    await program.run(`insert into accounts (id, owner) values (1, 'ann'), (2, 'ann')`);
    await world.carriedOut();
    const [one, two] = [world.key('account', 1), world.key('account', 2)];
    await world.cached(one, two);
    await program.run('begin');
    await program.run(`update accounts set owner = 'bea' where id = 2`);
    await program.run('savepoint before_it');
    await program.run(`update accounts set owner = 'bea' where id = 1`);
    await program.run('rollback to savepoint before_it');
    await program.run('commit');
    await world.carriedOut();
    expect(await states(one, two)).toEqual(['value', 'tombstone']);
  });

  it('C12: every row of a bulk change is invalidated', async () => {
    await program.run(`insert into accounts (id, owner) values ${values(1, 1500)}`);
    await world.carriedOut();
    const keys = [1, 777, 1500].map((id) => world.key('account', id));
    const other = world.key('account', 2000);
    await world.cached(...keys);
    await world.reads.read(other);
    const before = await world.state(other);
    await program.run(`update accounts set balance = balance + 1`);
    await world.carriedOut();
    expect(await states(...keys)).toEqual(['tombstone', 'tombstone', 'tombstone']);
    expect(await world.state(other)).toBe(before);
    const count = world.events.reduce(
      (sum, event) =>
        event.type === 'changes-captured' && event.resource.name === 'summary'
          ? sum + event.count
          : sum,
      0,
    );
    expect(count).toBeGreaterThanOrEqual(3000);
  });

  it('C12: a row that gets another key loses the entries of both', async () => {
    await program.run(`insert into accounts (id, owner) values (7, 'ann')`);
    await world.carriedOut();
    const keys = [world.key('account', 7), world.key('account', 8)];
    await world.reads.read(keys[1] as Key);
    await world.cached(keys[0] as Key);
    await program.run(`update accounts set id = 8 where id = 7`);
    await world.carriedOut();
    expect(await states(...keys)).toEqual(['tombstone', 'tombstone']);
  });

  it('C12: what hung on the row before and after goes, also the answers of queries', async () => {
    await program.run(`insert into accounts (id, owner) values (7, 'ann')`);
    await world.carriedOut();
    const answers = [world.key('owner-accounts', 'ann'), world.key('owner-accounts', 'bea')];
    for (const answer of answers) await world.reads.read(answer);
    await world.behind.mset('page:ann:accounts', 'x', 'page:bea:accounts', 'x', 'badge:7', 'x');
    await program.run(`update accounts set owner = 'bea' where id = 7`);
    await world.carriedOut();
    expect(await states(...answers)).toEqual(['tombstone', 'tombstone']);
    for (const bare of ['page:ann:accounts', 'page:bea:accounts', 'badge:7'])
      expect(await world.behind.get(bare)).not.toBe('x');
  });

  it('C12: keys are found whatever the session of the writer prints', async () => {
    const room = Buffer.from([0, 39, 92, 255]).toString('base64');
    const key = world.key('stay', '2026-03-29T01:30:00.500Z', room);
    await world.reads.read(key);
    const before = await world.state(key);
    if (client === 'pg') {
      await program.run(
        `set DateStyle = 'German'; set TimeZone = 'America/New_York'; set bytea_output = 'escape'`,
      );
      await program.run(`insert into stays values ('2026-03-29 01:30:00.5+00', '\\x00275cff', 2)`);
    } else {
      await program.run(`set time_zone = '+05:30'`);
      await program.run(`insert into stays values ('2026-03-29 07:00:00.500', x'00275cff', 2)`);
    }
    await world.carriedOut();
    expect(before).not.toBeNull();
    expect((await world.reads.read(key)).row).toMatchObject({ guests: 2 });
  });

  it('C13: Lockstep’s own writes are not noted, but for resources that leave them to the triggers', async () => {
    const vault = world.key('vault', 3);
    const write = (key: Key, set: Record<string, number | string>) =>
      world.writes.write({ key, change: { op: 'put', set, onlyCreate: false } });
    await write(vault, { owner: 'ann' });
    expect(await noted()).toEqual([]);
    expect(await world.state(vault)).toBe('value');
    const note = world.key('note', 5);
    await write(note, { body: 1 });
    await world.carriedOut();
    await world.cached(note);
    await write(note, { body: 2 });
    await world.carriedOut();
    expect(await world.state(note)).toBe('tombstone');
    // The session or transaction of the write leaves no mark for others.
    await program.run(`update vaults set owner = 'bea' where id = 3`);
    await world.carriedOut();
    expect(await world.state(vault)).toBe('tombstone');
  });

  const noted = async (): Promise<unknown[]> => {
    const text = 'select resource, changes from lockstep_invalidations';
    return (await world.database.sql.run({ pg: text, mysql2: text })).rows;
  };

  it.runIf(client === 'pg')('C12: rows that a foreign key changes are noted', async () => {
    await program.run('insert into people values (1)');
    await program.run('insert into pets values (11, 1), (12, 1)');
    await world.carriedOut();
    const pets = [world.key('pet', 11), world.key('pet', 12)];
    await world.cached(...pets);
    await program.run('delete from people where id = 1');
    await world.carriedOut();
    expect(await states(...pets)).toEqual(['tombstone', 'tombstone']);
  });

  it.runIf(client === 'pg')('C12: TRUNCATE takes every entry of the table', async () => {
    await program.run(`insert into accounts (id, owner) values (1, 'ann')`);
    await world.carriedOut();
    const key = world.key('account', 1);
    await world.cached(key);
    await program.run('truncate accounts');
    await world.carriedOut();
    expect(await world.state(key)).not.toBe('value');
    expect((await world.reads.read(key)).row).toBeNull();
  });

  it.runIf(client === 'pg')(
    'C12: rows of partitions are noted, whichever table a statement names',
    async () => {
      await program.run('insert into logs values (1, 1), (101, 1)');
      await world.carriedOut();
      const [low, high] = [world.key('log', 1), world.key('log', 101)];
      await world.cached(low, high);
      await program.run('update logs set size = 2');
      await world.carriedOut();
      expect(await states(low, high)).toEqual(['tombstone', 'tombstone']);
      await world.cached(low, high);
      await program.run('update logs_low set size = 3');
      await world.carriedOut();
      expect(await states(low, high)).toEqual(['tombstone', 'value']);
      await program.run(
        'create table logs_more partition of logs for values from (1000) to (2000)',
      );
      const more = world.key('log', 1001);
      await world.reads.read(more);
      await program.run('insert into logs_more values (1001, 1)');
      await world.carriedOut();
      expect((await world.reads.read(more)).row).toMatchObject({ size: 1 });
    },
  );

  it.runIf(client === 'pg')(
    'C12: what another trigger changes in a write of Lockstep is noted',
    async () => {
      await program.run('insert into notes values (1, 1)');
      await program.run(`insert into accounts (id, owner) values (1, 'ann')`);
      await program.run(`create function touch() returns trigger language plpgsql as
        $$ begin update accounts set owner = 'bea' where id = new.id; return null; end $$`);
      await program.run(
        'create trigger touching after update on notes for each row execute function touch()',
      );
      try {
        await world.carriedOut();
        const account = world.key('account', 1);
        await world.cached(account);
        const key = world.key('note', 1);
        await world.writes.write({
          key,
          change: { op: 'put', set: { body: 2 }, onlyCreate: false },
        });
        await world.carriedOut();
        expect(await world.state(account)).toBe('tombstone');
      } finally {
        await program.run('drop trigger touching on notes; drop function touch()');
      }
    },
  );

  it.runIf(client === 'mysql2')(
    'status names the foreign keys whose changes no trigger sees',
    async () => {
      const tables = await captureStatus(world.database.sql, all());
      const pets = tables.find(({ table }) => table === 'pets');
      expect(pets).toMatchObject({
        state: 'installed',
        unseen: [expect.stringContaining('of_person')],
      });
    },
  );

  it('C14: a trigger that is gone or was made for other columns is told', async () => {
    const { sql } = world.database;
    const stateOf = async (table: string, resources = all()) =>
      (await captureStatus(sql, resources)).find((each) => each.table === table);
    expect(await stateOf('notes')).toMatchObject({ state: 'installed', neededBy: ['note'] });
    expect((await installCapture(sql, all(), null)).changed).toEqual([]);
    expect(await uninstallCapture(sql, all(), ['note'])).toEqual(['notes']);
    expect(await stateOf('notes')).toMatchObject({ state: 'missing' });
    expect(await stateOf('accounts')).toMatchObject({ state: 'installed' });
    expect((await installCapture(sql, all(), ['note'])).changed).toEqual(['notes']);
    await world.carriedOut();
    await program.run(
      client === 'pg'
        ? 'alter table notes alter column id type varchar(20)'
        : 'alter table notes modify id varchar(20) collate utf8mb4_bin not null',
    );
    await program.run('alter table notes add column kind integer not null default 0');
    const changed: ResourceConfig[] = CONFIGS.map((each) =>
      each.name === 'note' ? { ...each, invalidates: ['kind:{kind}'] } : each,
    );
    const bound = await bindResources(changed, world.database.catalog);
    expect(await stateOf('notes', bound.resources)).toMatchObject({ state: 'outdated' });
    expect((await installCapture(sql, bound.resources, ['note'])).changed).toEqual(['notes']);
    expect(await stateOf('notes', bound.resources)).toMatchObject({ state: 'installed' });
  });

  it('an uninstall removes the capture triggers and nothing else', async () => {
    const { sql } = world.database;
    const removed = await uninstallCapture(sql, all(), null);
    expect(removed.length).toBeGreaterThan(3);
    const states = (await captureStatus(sql, all())).map(({ state }) => state);
    expect(new Set(states)).toEqual(new Set(['missing']));
    await program.run(`insert into accounts (id, owner) values (99, 'ann')`);
    expect(await noted()).toEqual([]);
    expect(await uninstallCapture(sql, all(), null)).toEqual([]);
  });
});
