/** `lockstep_invalidate`, called by other programs in their own transactions, on real servers. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import type { CallingProgram } from './testing/calling-program.ts';
import { openWorld, type World } from './testing/world.ts';

const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
const INSTANT = '2026-01-02T03:04:05.000Z';

const values = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => `(${from + at}, 'ann')`).join();

const TRIGGER = {
  pg: [
    `create function account_changed() returns trigger language plpgsql as $$
     begin perform lockstep_invalidate('account', new.id::text); return null; end $$`,
    `create trigger after_account after update on accounts
     for each row execute function account_changed()`,
  ],
  mysql2: [
    `create trigger after_account after update on accounts
     for each row call lockstep_invalidate('account', json_array(new.id))`,
  ],
};

describe.each(installedClients())(
  'invalidations in transactions of other programs, on %s',
  (client) => {
    let world: World;
    let program: CallingProgram;
    beforeAll(async () => {
      world = await openWorld(client);
      program = await world.program();
      world.coordinate();
    });
    afterAll(() => world?.close());
    beforeEach(async () => {
      for (const table of ['accounts', 'vaults', 'routes', 'lockstep_dead_letters'])
        await world.database.execute(`delete from ${table}`);
      await world.behind.flushall();
    });

    const owner = async (name: string, id: number): Promise<unknown> =>
      (await world.reads.read(world.key(name, id))).row?.['owner'];

    it('W19: one that commits is done, and the next read sees the change', async () => {
      await program.run(`insert into accounts (id, owner) values (42, 'ann')`);
      await world.cached(world.key('account', 42));
      await program.run('begin');
      await program.run(`update accounts set owner = 'bea' where id = 42`);
      await program.invalidate('account', '42');
      expect(await owner('account', 42)).toBe('ann');
      await program.run('commit');
      await world.carriedOut();
      expect(await world.state(world.key('account', 42))).toBe('tombstone');
      expect(await owner('account', 42)).toBe('bea');
    });

    it('one that rolls back leaves nothing, also to a savepoint', async () => {
      await program.run(`insert into accounts (id, owner) values (1, 'ann'), (2, 'ann')`);
      const [one, two] = [world.key('account', 1), world.key('account', 2)];
      await world.cached(one, two);
      await program.run('begin');
      await program.invalidate('account', '1');
      await program.run('rollback');
      await program.run('begin');
      await program.run('savepoint before_it');
      await program.invalidate('account', '1');
      await program.run('rollback to savepoint before_it');
      await program.invalidate('account', '2');
      await program.run('commit');
      await world.carriedOut();
      expect(await world.state(two)).toBe('tombstone');
      expect(await world.state(one)).toBe('value');
    });

    it('is done for a transaction that commits after a later one', async () => {
      await program.run(`insert into accounts (id, owner) values (1, 'ann'), (2, 'ann')`);
      const [one, two] = [world.key('account', 1), world.key('account', 2)];
      await world.cached(one, two);
      const other = await world.program();
      await program.run('begin');
      await program.invalidate('account', '1');
      await other.invalidate('account', '2');
      await world.carriedOut();
      expect([await world.state(one), await world.state(two)]).toEqual(['value', 'tombstone']);
      await program.run('commit');
      await world.carriedOut();
      expect(await world.state(one)).toBe('tombstone');
    });

    it.runIf(client === 'mysql2')('is done when a prepared transaction commits', async () => {
      await program.run(`insert into accounts (id, owner) values (1, 'ann')`);
      await world.cached(world.key('account', 1));
      await program.run(`xa start 'one'`);
      await program.invalidate('account', '1');
      await program.run(`xa end 'one'`);
      await program.run(`xa prepare 'one'`);
      await world.carriedOut();
      expect(await world.state(world.key('account', 1))).toBe('value');
      await program.run(`xa commit 'one'`);
      await world.carriedOut();
      expect(await world.state(world.key('account', 1))).toBe('tombstone');
    });

    it('takes what a trigger of the table calls for, and more calls than one pass takes', async () => {
      await program.run(`insert into accounts (id, owner) values ${values(1, 600)}`);
      const keys = [world.key('account', 1), world.key('account', 600)];
      await world.cached(...keys);
      for (const statement of TRIGGER[client]) await program.run(statement);
      try {
        await program.run(`update accounts set owner = 'bea'`);
        await world.carriedOut();
        expect(await Promise.all(keys.map(world.state))).toEqual(['tombstone', 'tombstone']);
      } finally {
        await program.run(`drop trigger after_account${client === 'pg' ? ' on accounts' : ''}`);
      }
    });

    it('finds the row however its key is spelled', async () => {
      await program.run(`insert into accounts (id, owner) values (7, 'ann')`);
      const spelled = [[world.key('account', 7), 'account', '007']] as const;
      const more =
        client === 'pg'
          ? ([
              [world.key('token', UUID), 'token', UUID.toUpperCase()],
              [world.key('moment', INSTANT), 'moment', '2026-01-02 05:04:05+02'],
            ] as const)
          : [];
      for (const [key, name, text] of [...spelled, ...more]) {
        await world.cached(key);
        await program.invalidate(name, text);
        await world.carriedOut();
        expect(await world.state(key)).toBe('tombstone');
      }
    });

    it('takes every entry of the row, and what hangs on the row as the commit left it', async () => {
      await program.run(`insert into accounts (id, owner) values (7, 'ann')`);
      const entries = [
        world.key('account', 7),
        world.key('summary', 7),
        world.key('owner-accounts', 'bea'),
      ];
      for (const name of ['account', 'summary']) {
        await world.cached(...entries);
        await world.behind.mset('page:bea:accounts', 'old', 'badge:7', 'old', 'badge:8', 'other');
        await program.run('begin');
        await program.run(`update accounts set owner = 'bea' where id = 7`);
        await program.invalidate(name, '7');
        await program.run('commit');
        await world.carriedOut();
        expect(await Promise.all(entries.map(world.state))).toEqual(Array(3).fill('tombstone'));
        expect(await world.behind.mget('page:bea:accounts', 'badge:7', 'badge:8')).toEqual([
          null,
          null,
          'other',
        ]);
      }
    });

    it('takes what hangs on the key of a row that is gone', async () => {
      await program.run(`insert into accounts (id, owner) values (7, 'ann')`);
      await world.cached(world.key('account', 7));
      await world.behind.set('badge:7', 'old');
      await program.run('begin');
      await program.run('delete from accounts where id = 7');
      await program.invalidate('account', '7');
      await program.run('commit');
      await world.carriedOut();
      expect(await world.state(world.key('account', 7))).toBe('tombstone');
      expect(await world.behind.get('badge:7')).toBeNull();
    });

    it('takes the answer of a query by its parameters', async () => {
      await world.cached(world.key('owner-accounts', 'ann'), world.key('owner-accounts', 'bea'));
      await program.invalidate('owner-accounts', 'ann');
      await world.carriedOut();
      expect(await world.state(world.key('owner-accounts', 'ann'))).toBe('tombstone');
      expect(await world.state(world.key('owner-accounts', 'bea'))).toBe('value');
    });

    describe('of composite keys', () => {
      const keys = () =>
        [
          ['JFK', 1, 'LAX'],
          ['JFK', 1, 'a:b'],
          ['JFK', 2, 'LAX'],
          ['BER', 1, 'LAX'],
        ].map((parts) => world.key('route', ...parts));
      const states = () => Promise.all(keys().map(world.state));
      const boards = () => world.behind.mget('board:JFK', 'board:BER');
      beforeEach(async () => {
        await program.run(
          `insert into routes values ('JFK', 1, 'LAX', 9), ('JFK', 1, 'a:b', 9), ('JFK', 2, 'LAX', 9), ('BER', 1, 'LAX', 9)`,
        );
        await world.cached(...keys(), world.key('account', 1));
        await world.behind.mset('board:JFK', 'old', 'board:BER', 'old');
      });
      const [gone, kept] = ['tombstone', 'value'];

      it('takes one row if all parts are given', async () => {
        await program.invalidate('route', 'JFK', '01', 'LAX');
        await world.carriedOut();
        expect(await states()).toEqual([gone, kept, kept, kept]);
        expect(await boards()).toEqual([null, 'old']);
      });

      it('takes every row that begins with the parts if some are given', async () => {
        await program.invalidate('route', 'JFK', '01');
        await world.carriedOut();
        expect(await states()).toEqual([gone, gone, kept, kept]);
        expect(await boards()).toEqual([null, 'old']);
        await program.invalidate('route', 'JFK');
        await world.carriedOut();
        expect(await states()).toEqual([gone, gone, gone, kept]);
        expect(await boards()).toEqual([null, 'old']);
      });

      it('takes the whole resource if none is given, and nothing of another one', async () => {
        await program.invalidate('route');
        await world.carriedOut();
        expect(await states()).toEqual([gone, gone, gone, gone]);
        expect(await boards()).toEqual([null, null]);
        expect(await world.state(world.key('account', 1))).toBe(kept);
      });
    });

    it('marks the intent of a strict write, whose publish then leaves a tombstone (E6)', async () => {
      await program.run(`insert into vaults values (1, 'ann'), (2, 'ann')`);
      for (const [id, parts] of [
        [1, ['1']],
        [2, []],
      ] as const) {
        const key = world.key('vault', id);
        const intent = await world.entries.placeIntent(key.cacheKey, `intent-${id}`, 0);
        await program.invalidate('vault', ...parts);
        await world.carriedOut();
        expect(await world.entry(key)).toMatchObject({ state: 'intent', marked: true });
        await world.entries.publish(key.cacheKey, intent, 1, null);
        expect(await world.state(key)).toBe('tombstone');
      }
    });

    it('W20: a key that cannot be becomes a dead letter and holds up no other, and an operator can retry it', async () => {
      await program.run(`insert into accounts (id, owner) values (1, 'ann')`);
      await world.cached(world.key('account', 1));
      await program.run('begin');
      await program.invalidate('account', 'seven');
      await program.invalidate('account', '1', '2');
      await program.invalidate('account', '1');
      await program.run('commit');
      await world.carriedOut();
      expect(await world.state(world.key('account', 1))).toBe('tombstone');
      const letters = await world.outbox.deadLetters(10);
      expect(letters.map(({ key }) => key.replaceAll(' ', '')).sort()).toEqual([
        '["1","2"]',
        '["seven"]',
      ]);
      for (const { error } of letters) expect(error).toMatch(/no row has this key: key/);
      const [first = { id: '' }, second = { id: '' }] = letters;
      expect(await world.outbox.discardDeadLetter(second.id)).toBe(true);
      expect(await world.outbox.retryDeadLetter(first.id)).toBe(true);
      expect(await world.outbox.retryDeadLetter(first.id)).toBe(false);
      await world.carriedOut();
      expect(await world.outbox.deadLetters(10)).toHaveLength(1);
      expect((await world.outbox.deadLetters(10))[0]?.id).not.toBe(first.id);
    });

    it('fails at the call for a resource that nobody has, and for parts that are NULL', async () => {
      const refused = async (call: Promise<void>): Promise<string> =>
        call.then(
          () => 'not refused',
          (error: unknown) => String(error),
        );
      expect(await refused(program.invalidate('accout', '1'))).toMatch(
        /LS404 no coordinator has a resource named accout/,
      );
      expect(await refused(program.invalidate(null, '1'))).toMatch(/LS404/);
      expect(await refused(program.invalidate('account', null))).toMatch(/LS422 .*NULL/);
      expect(await refused(program.invalidate('account', 'x'.repeat(20_000)))).toMatch(/LS422/);
      await program.run('begin');
      await program.run(`insert into accounts (id, owner) values (9, 'ann')`);
      await refused(program.invalidate('accout', '9'));
      await program.run('rollback');
      await world.carriedOut();
    });
  },
);
