/** Guarded transactions on real databases and a real Redis: what the service does, and what strict readers see. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import type { Key } from '../domain/index.ts';
import type { CallingProgram } from './testing/calling-program.ts';
import { type GuardedWorld, openGuardedWorld } from './testing/guarded-world.ts';

describe.each(installedClients())('guarded transactions on %s', (client) => {
  let world: GuardedWorld;
  let program: CallingProgram;
  const sqlState = client === 'pg' ? { code: 'LS409' } : { sqlState: '45000', message: /^LS409/ };
  const refusal = (state: object) =>
    expect.objectContaining(
      Object.fromEntries(
        Object.entries(state).map(([name, value]) => [
          name,
          value instanceof RegExp ? expect.stringMatching(value) : value,
        ]),
      ),
    ) as unknown;
  const refused = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'not refused',
      (error: unknown) => error,
    );
  beforeAll(async () => {
    world = await openGuardedWorld(client);
  });
  afterAll(() => world?.close());
  beforeEach(async () => {
    program = await world.program();
  });

  const take = (keys: Key[], ttlMs = 10_000) => world.engine.guards.take(keys, ttlMs, 500);
  const stored = (key: Key) => world.database.rows.read(key);
  const read = async (key: Key) => (await world.engine.reads.read(key)).row?.['owner'];

  async function guarded(key: Key, owner: string, end: 'commit' | 'rollback' = 'commit') {
    const grant = await take([key]);
    await program.run('begin');
    await program.guard(key.resource.name, grant.keys[0]?.fence ?? 0, ...key.parts);
    await program.run(`update ${key.resource.table} set owner = '${owner}' where id = ${key.text}`);
    await program.run(end);
    return grant;
  }

  it('W21: stores the fence and counts the version in the caller’s transaction; the commit is published', async () => {
    const key = await world.row('vault', 'ann');
    expect(await read(key)).toBe('ann');
    const grant = await guarded(key, 'bea');
    const fence = grant.keys[0]?.fence;
    expect(await stored(key)).toMatchObject({ fence, version: 1, row: { owner: 'bea' } });
    expect(await world.entry(key)).toMatchObject({ state: 'intent' });
    expect(await world.engine.guards.commit(grant.id)).toEqual([
      { key, version: 1, isApplied: true, cache: expect.any(String) as string },
    ]);
    expect(await world.entry(key)).toMatchObject({ version: 1 });
    expect(await read(key)).toBe('bea');
    expect(world.engine.guards.size).toBe(0);
  });

  it('W21: hides the entry from before the guard is given out until it is over', async () => {
    const key = await world.row('vault', 'ann');
    await read(key);
    const grant = await take([key]);
    expect(await world.entry(key)).toMatchObject({ state: 'intent' });
    await world.engine.guards.rollback(grant.id);
    expect((await world.entry(key))?.state).not.toBe('intent');
  });

  it('W21: the fence is rolled back with the transaction', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await guarded(key, 'bea', 'rollback');
    expect(await stored(key)).toMatchObject({ fence: 0, version: 0 });
    await world.engine.guards.rollback(grant.id);
    expect(await stored(key)).toMatchObject({ version: 0, row: { owner: 'ann' } });
    expect(await read(key)).toBe('ann');
  });

  it('W21: a transaction fails where another holder came in between', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await take([key]);
    const { fence } = grant.keys[0] ?? { fence: 0 };
    await world.database.rows.raiseFence(key, fence + 1);
    await program.run('begin');
    expect(await refused(program.guard('vault', fence, key.text))).toEqual(refusal(sqlState));
    await program.run('rollback');
    await expect(world.engine.guards.commit(grant.id)).rejects.toMatchObject({
      ...{ code: 'GUARD_LOST', outcome: 'not_applied' },
    });
  });

  it('W21: a fence that no guard has, or on another key, is refused', async () => {
    const key = await world.row('vault', 'ann');
    const other = await world.row('vault', 'cid');
    const grant = await take([key]);
    const { fence } = grant.keys[0] ?? { fence: 0 };
    for (const [at, text] of [
      [fence, other.text],
      [fence, `0${key.text}`],
      [fence + 1, key.text],
    ] as const)
      expect(await refused(program.guard('vault', at, text))).toEqual(refusal(sqlState));
    const malformed = client === 'pg' ? { code: 'LS422' } : { message: /^LS422/ };
    expect(await refused(program.guard('vault', null, key.text))).toEqual(refusal(malformed));
    expect(await refused(program.guard('vault', fence, null))).toEqual(refusal(malformed));
    await world.engine.guards.rollback(grant.id);
  });

  it('W21: serves one transaction, and calls once for a key', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await guarded(key, 'bea');
    const fence = grant.keys[0]?.fence ?? 0;
    expect(await refused(program.guard('vault', fence, key.text))).toEqual(refusal(sqlState));
    await world.engine.guards.commit(grant.id);
    expect(await stored(key)).toMatchObject({ version: 1 });
  });

  it('W22: a rollback that is told keeps a transaction out that has not called yet', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await take([key]);
    await program.run('begin');
    await world.engine.guards.rollback(grant.id);
    const fence = grant.keys[0]?.fence ?? 0;
    expect(await refused(program.guard('vault', fence, key.text))).toEqual(refusal(sqlState));
    await program.run('rollback');
  });

  it('W22, W23: a rollback that is told waits for a commit under way, and tells of it', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await take([key]);
    await program.run('begin');
    await program.guard('vault', grant.keys[0]?.fence ?? 0, key.text);
    await program.run(`update vaults set owner = 'bea' where id = ${key.text}`);
    const rolledBack = refused(world.engine.guards.rollback(grant.id));
    await program.run('commit');
    expect(await rolledBack).toMatchObject({
      ...{ code: 'GUARD_LOST', outcome: 'applied', details: { version: 1 } },
    });
    expect(await read(key)).toBe('bea');
  });

  it('W23: a commit that is told of a transaction that called nothing is not believed', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await take([key]);
    await expect(world.engine.guards.commit(grant.id)).rejects.toMatchObject({
      ...{ code: 'GUARD_LOST', outcome: 'not_applied' },
    });
  });

  it('W23: a guard that ran out tells what became of its transaction, here and on another coordinator', async () => {
    const key = await world.row('vault', 'ann');
    const idle = await world.row('vault', 'cid');
    const [grant, unused] = [await take([key], 300), await take([idle], 300)];
    await program.run('begin');
    await program.guard('vault', grant.keys[0]?.fence ?? 0, key.text);
    await program.run(`update vaults set owner = 'bea' where id = ${key.text}`);
    await program.run('commit');
    await expect.poll(() => world.engine.guards.size).toBe(0);
    const other = world.coordinator('second');
    for (const { guards } of [world.engine, other]) {
      await expect(guards.commit(grant.id)).rejects.toMatchObject({
        ...{ code: 'GUARD_LOST', outcome: 'applied', details: { version: 1 } },
      });
      await expect(guards.commit(unused.id)).rejects.toMatchObject({
        ...{ code: 'GUARD_LOST', outcome: 'not_applied' },
      });
    }
    expect(await read(key)).toBe('bea');
    await other.guards.rollback(unused.id);
    await expect(other.guards.rollback(unused.id)).rejects.toMatchObject({
      code: 'UNKNOWN_GUARD',
    });
  });

  it('takes several keys at once, and publishes those that were called for', async () => {
    const keys = [await world.row('vault', 'ann'), await world.row('vault', 'cid')];
    const grant = await take([...keys].reverse());
    expect(grant.keys.map(({ key }) => key)).toEqual([...keys].reverse());
    const [first] = keys;
    await program.run('begin');
    await program.guard('vault', grant.keys[1]?.fence ?? 0, first?.text ?? '');
    await program.run(`update vaults set owner = 'bea' where id = ${first?.text}`);
    await program.run('commit');
    const results = await world.engine.guards.commit(grant.id);
    expect(results.map(({ version, isApplied }) => [version, isApplied])).toEqual([
      [0, false],
      [1, true],
    ]);
  });

  it('hides and publishes every strict entry of a row that resources share', async () => {
    await world.database.execute(`insert into seats values ('ic 1', '42,a', 'ann')`);
    const seat = world.key('seat', 'ic 1', '42,a');
    const place = world.key('place', '42,a', 'ic 1');
    await Promise.all([read(seat), read(place)]);
    const grant = await take([place]);
    for (const each of [seat, place])
      expect(await world.entry(each)).toMatchObject({ state: 'intent' });
    await program.run('begin');
    await program.guard('place', grant.keys[0]?.fence ?? 0, '42,a', 'ic 1');
    await program.run(`update seats set owner = 'bea'`);
    await program.run('commit');
    await world.engine.guards.commit(grant.id);
    expect([await read(seat), await read(place)]).toEqual(['bea', 'bea']);
    expect(await stored(seat)).toMatchObject({ version: 1 });
    await expect(take([seat, place])).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('W19: what hangs on the row is invalidated by the transaction itself', async () => {
    const key = await world.row('desk', 'ann');
    await guarded(key, 'bea');
    const { rows } = await world.database.sql.run({
      pg: 'select resource, key from lockstep_invalidations',
      mysql2: 'select resource, `key` as `key` from lockstep_invalidations',
    });
    expect(rows).toEqual([{ resource: 'desk', key: `["${key.text}"]` }]);
    await world.database.execute('delete from lockstep_invalidations');
  });

  it('waits for nobody’s guard but that of the same key, and refuses what is not strict', async () => {
    const key = await world.row('vault', 'ann');
    const grant = await take([key]);
    const other = await take([await world.row('vault', 'cid')]);
    await expect(world.engine.guards.take([key], 1_000, 50)).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
    });
    await expect(take([world.key('note', 1)])).rejects.toMatchObject({ code: 'INVALID' });
    await world.engine.guards.rollback(grant.id);
    await world.engine.guards.rollback(other.id);
  });
});
