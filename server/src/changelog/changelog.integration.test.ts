import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installedClients, mysqlNumbers } from '@lockstep/testkit/servers';
import type { ChangeLog } from './index.ts';
import { openWorld, until, type ResourceName, type World } from './testing/world.ts';

/** A table that no test is about: when a row of it is read from the log, everything before it was read too. */
const MARKS = {
  ddl: ['create table marks (id integer primary key)'],
  configs: [{ name: 'mark', table: 'marks', cacheKey: 'mark:{id}' }],
};
const MARK_WITHIN_MS = 5_000;
const NAMES: ResourceName[] = ['strict', 'plain', 'logged'];

describe.each(installedClients())('the change log on %s', (client) => {
  let world: World;
  let log: ChangeLog;
  let ids = 0;
  const nextId = (): number => (ids += 1);
  const streaming = (): Promise<void> =>
    until(() => log.report().state === 'streaming', 'following the log');
  const execute = (sql: string): Promise<void> => world.database.execute(sql);

  beforeAll(async () => {
    world = await openWorld(client, undefined, MARKS);
    log = world.follow();
  });
  afterAll(() => world?.close());
  // Every test begins with the cache up, and with all changes of earlier tests done and counted.
  beforeEach(async () => {
    await until(cacheAnswers, 'the cache');
    await streaming();
    const before = marksCounted();
    // A log that cannot be read further is followed from its end, which may be after the first mark.
    for (let isCounted = false; !isCounted;) {
      await execute(`insert into marks (id) values (${nextId()})`);
      isCounted = await comesAbout(() => marksCounted() > before, MARK_WITHIN_MS);
    }
  });

  const marksCounted = (): number => log.counts().bypassed.get('marks') ?? 0;
  const cacheAnswers = async (): Promise<boolean> =>
    world.entries.available && (await world.behind.ping().catch(() => null)) === 'PONG';

  it.each(NAMES)('C1: a row changed behind its back is soon served new (%s)', async (name) => {
    const key = world.key(name, nextId());
    await world.put(key, 'before');
    await world.cached(key);
    await execute(`update ${name}s set owner = 'after' where id = ${key.text}`);
    await until(async () => (await world.owner(key)) === 'after');
    await execute(`delete from ${name}s where id = ${key.text}`);
    await until(async () => (await world.owner(key)) === null);
    await execute(`insert into ${name}s (id, owner) values (${key.text}, 'again')`);
    await until(async () => (await world.owner(key)) === 'again');
  });

  it('C2: writes through Lockstep are not counted as going round it', async () => {
    const before = new Map(log.counts().bypassed);
    const { changes } = log.counts();
    const keys = NAMES.map((name) => world.key(name, nextId()));
    for (const key of keys) await world.put(key, 'ours');
    await until(() => log.counts().changes >= changes + keys.length);
    expect(new Map(log.counts().bypassed)).toEqual(before);
  });

  it('C2: a strict write keeps its value', async () => {
    let isSwept = true;
    // Another test may log a statement on this server at the same time: all entries are swept (C4), and this is tried
    // again.
    while (isSwept) {
      const { changes, sweeps } = log.counts();
      const key = world.key('strict', nextId());
      await world.put(key, 'ours');
      await until(() => log.counts().changes > changes);
      const entry = await world.entry(key);
      isSwept = log.counts().sweeps !== sweeps;
      if (!isSwept) expect(entry).toMatchObject({ state: 'value', version: 1 });
    }
  });

  it('C2: transactions through Lockstep are not counted either, of new rows and of old ones', async () => {
    const before = new Map(log.counts().bypassed);
    const { changes } = log.counts();
    const keys = NAMES.map((name) => world.key(name, nextId()));
    await world.transact(keys, { op: 'put', set: { owner: 'ours' }, onlyCreate: false });
    await world.transact(keys, { op: 'patch', set: { owner: 'still' }, increment: {} });
    await until(() => log.counts().changes >= changes + 2 * keys.length);
    expect(new Map(log.counts().bypassed)).toEqual(before);
    expect(await world.entry(world.key('strict', ids - 2))).toMatchObject({ version: 2 });
  });

  it('C2: writes that come at once, and go through together, are not counted either', async () => {
    const before = new Map(log.counts().bypassed);
    const { changes } = log.counts();
    const keys = Array.from({ length: 30 }, () => world.key('plain', nextId()));
    for (const owner of ['ours', 'still'])
      await Promise.all(keys.map((key) => world.put(key, owner)));
    await until(() => log.counts().changes >= changes + 2 * keys.length);
    expect(new Map(log.counts().bypassed)).toEqual(before);
  });

  it('C2: writes of one key that come at once, and share transactions, are not counted either', async () => {
    const before = new Map(log.counts().bypassed);
    const { changes } = log.counts();
    const keys = NAMES.map((name) => world.key(name, nextId()));
    for (const key of keys)
      await Promise.all(Array.from({ length: 20 }, (_, index) => world.put(key, `ours ${index}`)));
    await until(() => log.counts().changes >= changes + 20 * keys.length);
    expect(new Map(log.counts().bypassed)).toEqual(before);
  });

  it('C2: a row that a trigger changes again beside a write through Lockstep is counted, and served new', async () => {
    const key = world.key('plain', nextId());
    const other = world.key('plain', nextId());
    await world.put(other, 'untouched');
    await world.cached(other);
    const bypassed = log.counts().bypassed.get('plains') ?? 0;
    const change = `update plains set owner = 'by trigger' where id = ${other.text}`;
    await execute(
      client === 'pg'
        ? `create function touch() returns trigger language plpgsql as $$ begin ${change}; return null; end $$`
        : `create trigger touch after insert on loggeds for each row ${change}`,
    );
    if (client === 'pg') {
      await execute(
        'create trigger touch after insert on loggeds for each row execute function touch()',
      );
    }
    await world.put(world.key('logged', Number(key.text)), 'fires');
    await until(async () => (await world.owner(other)) === 'by trigger');
    await until(() => log.counts().bypassed.get('plains') === bypassed + 1);
    await execute(client === 'pg' ? 'drop trigger touch on loggeds' : 'drop trigger touch');
  });

  it('C11: a write by the policy change-log leaves its tombstone to the log', async () => {
    const key = world.key('logged', nextId());
    expect(await world.put(key, 'first')).toMatchObject({ cache: 'pending', version: 1 });
    await until(async () => (await world.entry(key))?.state === 'tombstone');
    await world.cached(key);
    expect(await world.put(key, 'second')).toMatchObject({ cache: 'pending', version: 2 });
    await until(async () => (await world.owner(key)) === 'second');
    expect(await world.entry(key)).toMatchObject({ version: 2 });
  });

  it('C3: what hangs on a row by its columns, before and after the change, is invalidated', async () => {
    const key = world.key('logged', nextId());
    await execute(`insert into loggeds (id, owner) values (${key.text}, 'ann')`);
    await until(async () => (await world.owner(key)) === 'ann');
    await world.behind.set('owner:ann', 'a list');
    await world.behind.set('owner:bob', 'a list');
    await execute(`update loggeds set owner = 'bob' where id = ${key.text}`);
    await until(async () => (await world.behind.exists('owner:ann', 'owner:bob')) === 0);
  });

  it('C3: a row that gets another key is served new under both', async () => {
    const [from, to] = [world.key('strict', nextId()), world.key('strict', nextId())];
    await world.put(from, 'moves');
    await world.cached(from);
    expect(await world.owner(to)).toBeNull();
    await execute(`update stricts set id = ${to.text} where id = ${from.text}`);
    await until(async () => (await world.owner(from)) === null);
    await until(async () => (await world.owner(to)) === 'moves');
  });

  it('C4: after a truncation no entry of the table is served', async () => {
    const keys = [world.key('plain', nextId()), world.key('plain', nextId())];
    for (const key of keys) {
      await world.put(key, 'gone soon');
      await world.cached(key);
    }
    await execute('truncate table plains');
    for (const key of keys) await until(async () => (await world.owner(key)) === null);
  });

  it('C4: a column that is added or renamed stops nothing', async () => {
    const key = world.key('plain', nextId());
    await execute('alter table plains add column extra integer');
    await execute('alter table plains rename column note to remark');
    await execute(`insert into plains (id, owner, extra) values (${key.text}, 'wide', 1)`);
    await execute('alter table plains rename column remark to note');
    expect(await world.owner(key)).toBe('wide');
    await world.cached(key);
    await execute(`update plains set owner = 'wider' where id = ${key.text}`);
    await until(async () => (await world.owner(key)) === 'wider');
  });

  it('C5: a transaction of 100,000 rows flows through', async () => {
    const first = 1_000_000;
    const { changes } = log.counts();
    const key = world.key('logged', first + 99_999);
    expect(await world.owner(key)).toBeNull();
    await world.database.sql.transaction(async (session) => {
      for (let from = first; from < first + 100_000; from += 20_000)
        await session.run({
          pg: `insert into loggeds (id, owner) select ${from} + n, 'crowd' from generate_series(0, 19999) as n`,
          mysql2: `insert into loggeds (id, owner) select ${from - 1} + n, 'crowd' from ${mysqlNumbers(20_000)}`,
        });
    });
    await until(() => log.counts().changes >= changes + 100_000, 'the last change', 60_000);
    expect(await world.owner(key)).toBe('crowd');
  });

  it('C6: it goes on where it was stopped', async () => {
    const key = world.key('logged', nextId());
    const kept = world.key('logged', nextId());
    for (const each of [key, kept]) {
      await execute(`insert into loggeds (id, owner) values (${each.text}, 'before')`);
      await until(async () => (await world.entry(each))?.state === 'tombstone');
      await world.cached(each);
    }
    await log.stop();
    await execute(`update loggeds set owner = 'while away' where id = ${key.text}`);
    expect(await world.owner(key)).toBe('before');
    log = world.follow();
    await until(async () => (await world.owner(key)) === 'while away');
    await streaming();
    expect((await world.entry(kept))?.state).toBe('value');
  });

  it('C7: of two instances one follows it, and the other takes over when it stops', async () => {
    const other = world.follow();
    await until(() => other.report().state === 'waiting');
    expect(other.report().detail).toBeNull();
    await log.stop();
    await until(() => other.report().state === 'streaming');
    const key = world.key('plain', nextId());
    await execute(`insert into plains (id, owner) values (${key.text}, 'theirs')`);
    await until(() => other.counts().changes > 0);
    log = other;
  });

  it('C8: where the log does not lead on, all entries are swept, and it is named', async () => {
    const key = world.key('logged', nextId());
    await world.put(key, 'before');
    await until(async () => (await world.entry(key))?.state === 'tombstone');
    await world.cached(key);
    await log.stop();
    await execute(`update loggeds set owner = 'missed' where id = ${key.text}`);
    if (client === 'pg') {
      // It takes the server a moment to notice that nobody follows any more.
      await until(() =>
        execute(
          'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
        ).then(
          () => true,
          () => false,
        ),
      );
    } else {
      await execute('flush binary logs');
      await execute(
        `update lockstep_changelog set log_position = regexp_replace(log_position, '[0-9]+$', '999999999')`,
      );
    }
    log = world.follow();
    await until(async () => (await world.owner(key)) === 'missed');
    expect(log.counts().sweeps).toBeGreaterThan(0);
    await streaming();
  });

  it.runIf(client === 'mysql2')(
    'C8: where older rows cannot be read any more, because their table was altered since, all is swept',
    async () => {
      const key = world.key('plain', nextId());
      await world.put(key, 'before');
      await world.cached(key);
      await log.stop();
      await execute('alter table plains add column brief integer');
      await execute(`update plains set owner = 'narrow', brief = 1 where id = ${key.text}`);
      await execute('alter table plains drop column brief');
      log = world.follow();
      await until(async () => (await world.owner(key)) === 'narrow');
      await streaming();
      expect(log.counts().sweeps).toBeGreaterThan(0);
    },
  );

  it('C6: begun again while it is followed, it misses nothing', async () => {
    const key = world.key('plain', nextId());
    await execute(`insert into plains (id, owner) values (${key.text}, 'before')`);
    await until(async () => (await world.owner(key)) === 'before');
    await world.cached(key);
    log.refollow();
    await execute(`update plains set owner = 'after' where id = ${key.text}`);
    await until(async () => (await world.owner(key)) === 'after');
    await until(() => log.report().detail === null, 'nothing to say');
  });

  it('C9: while the cache is away nothing is lost, and it goes on afterwards', async () => {
    const key = world.key('logged', nextId());
    await world.put(key, 'before');
    await until(async () => (await world.entry(key))?.state === 'tombstone');
    await world.cached(key);
    await world.cacheServer.kill();
    await execute(`update loggeds set owner = 'cache away' where id = ${key.text}`);
    await world.cacheServer.restart();
    await until(async () => (await world.owner(key)) === 'cache away');
  });

  it('C10: what went round it is counted by table in the database', async () => {
    const count = async (): Promise<number> =>
      (await log.bypassCounts()).find(({ table }) => table === 'stricts')?.changes ?? 0;
    const before = await count();
    await execute(`insert into stricts (id, owner) values (${nextId()}, 'round')`);
    // It may grow by more, if changes of other tests are counted only now.
    await until(async () => (await count()) > before);
  });
});

const comesAbout = (holds: () => boolean, withinMs: number): Promise<boolean> =>
  until(holds, 'a mark', withinMs).then(
    () => true,
    () => false,
  );
