/** `lockstep_invalidate` in transactions of other programs, while coordinators are killed and the cache is away. */
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId, type SqlClient } from '../support/shop.ts';

/** A change of a profile's name with its invalidation, in one statement that commits by itself or not at all. */
const CHANGE: Record<SqlClient, string> = {
  pg: `with changed as (update profiles set name = ? where id = ? returning id)
    select lockstep_invalidate('profile', id::text) from changed`,
  mysql2: 'call change_profile(?, ?)',
};
const PROCEDURE = `create procedure change_profile(in new_name varchar(100), in changed bigint)
  begin
    declare exit handler for sqlexception begin rollback; resignal; end;
    start transaction;
    update profiles set name = new_name where id = changed;
    call lockstep_invalidate('profile', json_array(changed));
    commit;
  end`;

describe.each<SqlClient>(['pg', 'mysql2'])('invalidations in own transactions, on %s', (client) => {
  let servers: ExternalServers | undefined;
  const others: Instance[] = [];
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    return { config: servers.config };
  });
  const started = (): ExternalServers => {
    if (servers === undefined) throw new Error('The servers have not been started');
    return servers;
  };
  afterEach(async () => {
    for (const other of others.splice(0)) await other.dispose();
  });

  /** A profile that is cached under its old name. */
  async function cachedProfile(): Promise<number> {
    const id = newId();
    await bed.api.put('profile', id, { name: 'old' });
    await eventually(async () => {
      expect((await bed.api.get('profile', id)).body.source).toBe('cache');
    });
    return id;
  }

  async function change(id: number): Promise<void> {
    if (client === 'mysql2') {
      await bed.behind.sql('drop procedure if exists change_profile');
      await bed.behind.sql(PROCEDURE);
    }
    await bed.behind.sql(CHANGE[client], ['new', id]);
  }

  const stateOf = async (id: number): Promise<string | undefined> =>
    (await bed.behind.entry(`profile:${id}`))?.state;

  const invalidated = (id: number): Promise<void> =>
    eventually(async () => {
      expect(await stateOf(id)).not.toBe('value');
      expect(await bed.behind.sql('select 1 as one from lockstep_invalidations')).toEqual([]);
    });

  test('W19: the call is carried out, and the next read sees the change', async () => {
    const id = await cachedProfile();
    await change(id);
    await invalidated(id);
    expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'new' });
  });

  test('W19: a coordinator that is killed between the commit and the cache step loses nothing', async () => {
    const id = await cachedProfile();
    const { cache } = bed.behind;
    await cache.call('client', 'pause', '60000', 'write');
    await change(id);
    await bed.instance.kill();
    await cache.call('client', 'unpause');
    expect(await stateOf(id)).toBe('value');
    await bed.instance.start();
    await bed.reconnect();
    await invalidated(id);
    expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'new' });
  });

  test('W19: a cache that is away at the commit loses nothing', async () => {
    const id = await cachedProfile();
    const { cache } = started();
    await cache.kill();
    await change(id);
    await cache.restart();
    // It kept its data: without the call, the old value would be served again.
    await invalidated(id);
    await eventually(async () => {
      expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'new' });
    });
  });

  test('another coordinator goes on where the leader is killed', async () => {
    const id = await cachedProfile();
    others.push(await startInstance({ config: started().config }));
    await bed.instance.kill();
    await change(id);
    await invalidated(id);
    await bed.instance.start();
    await bed.reconnect();
    expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'new' });
  });

  test('a call for an unknown resource fails with its transaction', async () => {
    const text =
      client === 'pg'
        ? `select lockstep_invalidate('nobody', '1')`
        : `call lockstep_invalidate('nobody', json_array('1'))`;
    await expect(bed.behind.sql(text)).rejects.toThrow(/LS404.*nobody/);
  });

  test('operators see what was done', async () => {
    const id = await cachedProfile();
    await change(id);
    // The instance counts from its last start.
    await eventually(async () => {
      const { text } = await bed.anonymous.call('GET', '/metrics');
      expect(text).toMatch(/^lockstep_invalidation_calls_total [1-9]/m);
    });
    const ready = await bed.anonymous.call('GET', '/readyz?verbose');
    expect(JSON.parse(ready.text)).toMatchObject({
      checks: expect.arrayContaining([
        expect.objectContaining({ name: 'invalidations', ok: true, required: false }),
      ]) as unknown,
    });
  });
});
