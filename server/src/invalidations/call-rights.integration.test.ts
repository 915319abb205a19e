/** What `lockstep_invalidate` needs from its caller's account, and what it leaves in the caller's session. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import { resource } from '@lockstep/testkit/doubles/resource';
import { grantsFor } from '../checks/index.ts';
import type { CallingProgram } from './testing/calling-program.ts';
import { openWorld, type World } from './testing/world.ts';
import { DIALECTS } from '../dialects/index.ts';

describe.each(installedClients())('the account that calls lockstep_invalidate on %s', (client) => {
  let world: World;
  let program: CallingProgram;
  const name = `service_${randomBytes(4).toString('hex')}`;
  const account = client === 'pg' ? name : `'${name}'@'%'`;
  const refused = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'not refused',
      (error: unknown) => String(error),
    );

  beforeAll(async () => {
    world = await openWorld(client);
    const { url } = world.database;
    const execute = (sql: string): Promise<void> => world.database.execute(sql);
    await execute(
      client === 'pg'
        ? `create role ${account} login password 'secret'`
        : `create user ${account} identified by 'secret'`,
    );
    if (client === 'pg') {
      // As a careful administrator does it. The printed grants must be enough then, too.
      await execute('revoke usage on schema public from public');
      await execute('revoke execute on function lockstep_invalidate(text, text[]) from public');
    }
    await execute(`grant select, update on accounts to ${account}`);
    const { invalidate } = grantsFor({
      ...{ dialect: DIALECTS[client], account: 'lockstep', schema: 'public' },
      config: {
        ...{ changeLog: { mode: 'off' }, database: { capture: 'off' } },
        cache: { mode: 'single', waitReplicas: 0 },
      },
      ...{ database: new URL(url).pathname.slice(1), publication: null },
      ...{ resources: [resource()], lookedAt: [] },
    });
    for (const grant of invalidate) await execute(grant.replace('SERVICE', name).replace(/;$/, ''));
    await execute(`insert into accounts (id, owner) values (1, 'ann')`);
    world.coordinate();
    program = await world.program({ user: name, password: 'secret' });
  });
  afterAll(async () => {
    if (world === undefined) return;
    if (client === 'pg') await world.database.execute(`drop owned by ${account}`);
    await world.database.execute(`drop ${client === 'pg' ? 'role' : 'user'} ${account}`);
    await world.close();
  });

  it('needs no right on the tables of Lockstep, and has none', async () => {
    await world.cached(world.key('account', 1));
    await program.run('begin');
    await program.run(`update accounts set owner = 'bea' where id = 1`);
    await program.invalidate('account', '1');
    await program.run('commit');
    await world.carriedOut();
    expect(await world.state(world.key('account', 1))).toBe('tombstone');
    for (const statement of [
      'select * from lockstep_invalidations',
      'delete from lockstep_invalidations',
      'select * from lockstep_policies',
    ])
      expect(await refused(program.run(statement))).toMatch(/denied/);
  });

  it.runIf(client === 'pg')(
    'cannot put tables or functions of its own in their place',
    async () => {
      await world.cached(world.key('account', 1));
      await program.run('create temporary table lockstep_policies (resource text)');
      await program.run('create temporary table lockstep_invalidations (resource text, key json)');
      await program.run('set search_path = pg_temp');
      expect(await refused(program.invalidate('account', '1'))).toMatch(/does not exist/);
      await program.run(`select public.lockstep_invalidate('account', '1')`);
      await program.run('set search_path = public');
      expect(await program.run('select * from pg_temp.lockstep_invalidations')).toEqual([]);
      await world.carriedOut();
      expect(await world.state(world.key('account', 1))).toBe('tombstone');
    },
  );

  it('finds the number of its last insert as it was', async () => {
    const id = client === 'pg' ? 'serial primary key' : 'integer auto_increment primary key';
    await world.database.execute(`create table orders (id ${id}, item varchar(20))`);
    const caller = await world.program();
    await caller.run(`insert into orders (item) values ('first')`);
    await caller.invalidate('account', '1');
    const last = client === 'pg' ? 'lastval()' : 'last_insert_id()';
    const [row] = await caller.run(`select ${last} as id`);
    expect(Number(row?.['id'])).toBe(1);
    await world.carriedOut();
  });
});
