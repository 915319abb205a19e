/** Calls of `lockstep_invalidate` that the leader does not carry out, on real servers. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { Leadership } from '../jobs/index.ts';
import { createLeadershipStore } from '../jobs/sql-leadership-store.ts';
import { systemRuntime } from '../runtime/index.ts';
import type { CallingProgram } from './testing/calling-program.ts';
import { openWorld, type World } from './testing/world.ts';

describe.each(installedClients())('calls that the leader leaves, on %s', (client) => {
  let world: World;
  let program: CallingProgram;
  beforeAll(async () => {
    world = await openWorld(client);
    program = await world.program();
  });
  afterAll(() => world?.close());
  beforeEach(async () => {
    await world.database.execute('delete from vaults');
    await world.database.execute(`insert into vaults values (1, 'ann')`);
    await world.cached(world.key('vault', 1));
  });

  it('W19: are carried out by another coordinator while the leader does nothing', async () => {
    const leadership = new Leadership(
      createLeadershipStore(world.database),
      systemRuntime(silentLog),
    );
    const { term } = await leadership.elect('invalidate:calls', null);
    expect(term).not.toBeNull();
    const follower = world.coordinate();
    await program.invalidate('vault', '1');
    await world.carriedOut();
    expect(term?.isLeading).toBe(true);
    expect(await world.state(world.key('vault', 1))).toBe('tombstone');
    await follower.stop();
    await term?.end();
  });

  it('W20: are carried out by one that knows their resource, and delay no other', async () => {
    const known = new Map([...world.resources].filter(([name]) => name !== 'vault'));
    const leader = world.coordinate(known);
    await program.run(`delete from accounts`);
    await program.run(`insert into accounts (id, owner) values (1, 'ann')`);
    await world.cached(world.key('account', 1));
    await program.run('begin');
    await program.invalidate('vault', '1');
    await program.invalidate('account', '1');
    await program.run('commit');
    await expect.poll(() => world.state(world.key('account', 1)), WAIT).toBe('tombstone');
    await expect.poll(() => leader.fault, WAIT).toMatch(/vault, which is not configured here/);
    expect(await world.state(world.key('vault', 1))).toBe('value');
    const follower = world.coordinate();
    await world.carriedOut();
    expect(await world.state(world.key('vault', 1))).toBe('tombstone');
    await leader.stop();
    await follower.stop();
  });

  it('W19: wait for a cache that is away', async () => {
    const leader = world.coordinate();
    await world.cacheServer.kill();
    await program.invalidate('vault', '1');
    await expect.poll(() => leader.fault, WAIT).toMatch(/the cache does not answer/);
    await world.cacheServer.restart();
    await world.carriedOut();
    // It kept its data: without the call, the old value would still be there.
    expect(await world.state(world.key('vault', 1))).toBe('tombstone');
    expect(await world.outbox.deadLetters(10)).toEqual([]);
    await leader.stop();
  });

  it('are counted among the cache steps that are still to be done', async () => {
    await program.invalidate('vault', '1');
    expect(await world.outbox.depth()).toMatchObject({ depth: 1, deadLetters: 0 });
    expect((await world.outbox.depth()).oldestMs).toBeLessThan(60_000);
    const leader = world.coordinate();
    await world.carriedOut();
    expect(await world.outbox.depth()).toEqual({ depth: 0, oldestMs: null, deadLetters: 0 });
    await leader.stop();
  });
});

const WAIT = { timeout: 60_000, interval: 20 };
