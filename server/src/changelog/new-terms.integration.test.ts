/** What the next term of following the log owes to entries whose changes the last term did not see. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import type { ChangeLog } from './index.ts';
import { openWorld, until, type World } from './testing/world.ts';

const MADE = 'create table comes (id integer primary key, v integer)';

describe.each(installedClients())('a new term of the change log on %s', (client) => {
  let world: World;
  let log: ChangeLog;
  beforeAll(async () => {
    world = await openWorld(client, undefined, {
      ddl: [MADE, 'create table marks (id integer primary key, v integer)'],
      configs: [
        { name: 'comes', table: 'comes', cacheKey: 'comes:{id}' },
        { name: 'mark', table: 'marks', cacheKey: 'mark:{id}' },
      ],
    });
    log = world.follow();
    await until(() => log.report().state === 'streaming', 'following the log');
  });
  afterAll(() => world?.close());

  /** Everything before the returned promise's call was taken from the log when it resolves. */
  async function caughtUp(followed: ChangeLog): Promise<void> {
    const marks = (): number => followed.counts().bypassed.get('marks') ?? 0;
    const before = marks();
    await until(async () => {
      await world.database.execute(
        `insert into marks select coalesce(max(id), 0) + 1, 0 from marks`,
      );
      return marks() > before;
    }, 'the mark');
  }

  it.each([1, 2, 3])(
    'C8: a row of a table that was away when the last one began is soon served new (%i)',
    async (id) => {
      const key = world.key('comes', id);
      await world.database.execute('drop table comes');
      await until(() => /comes: is not there/.test(log.report().detail ?? ''), 'the table away');
      log.refollow();
      await caughtUp(log);
      await world.database.execute(MADE);
      await world.database.execute(`insert into comes values (${id}, 1)`);
      await world.cached(key);
      await world.database.execute(`update comes set v = 2 where id = ${id}`);
      await caughtUp(log);
      log.refollow();
      await until(async () => (await world.reads.read(key)).row?.v === 2, 'the row', 10_000);
      expect(log.report().state).toMatch(/streaming|sweeping/);
    },
  );

  it('C8: a row is soon served new whose resource the last leader did not know', async () => {
    const key = world.key('comes', 9);
    await world.database.execute(`insert into comes values (9, 1)`);
    await caughtUp(log);
    await world.cached(key);
    await log.stop();
    const earlier = world.follow(['mark']);
    await until(() => earlier.report().state === 'streaming', 'following the log');
    await world.database.execute(`update comes set v = 2 where id = 9`);
    await caughtUp(earlier);
    expect((await world.reads.read(key)).row?.v).toBe(1);
    await earlier.stop();
    log.start();
    await until(async () => (await world.reads.read(key)).row?.v === 2, 'the row', 10_000);
  });
});
