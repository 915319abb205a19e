/** `lockstep_invalidate`, called by other programs in their own transactions, on real servers. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import type { CallingProgram } from './testing/calling-program.ts';
import { openWorld, type World } from './testing/world.ts';

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
  },
);
