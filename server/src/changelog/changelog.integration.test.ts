import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedClients } from '../testing/index.ts';
import type { ChangeLogService } from './index.ts';
import { openWorld, until, type ResourceName, type World } from './testing/world.ts';

const NAMES: ResourceName[] = ['strict', 'plain', 'logged'];

describe.each(installedClients())('the change log on %s', (client) => {
  let world: World;
  let log: ChangeLogService;
  let ids = 0;
  const nextId = (): number => (ids += 1);
  const streaming = (): Promise<void> =>
    until(() => log.report().state === 'streaming', 'following the log');

  beforeAll(async () => {
    world = await openWorld(client);
    log = world.follow();
    await streaming();
  });
  afterAll(() => world?.close());

  it.each(NAMES)('C1: a row that was changed behind its back is served new (%s)', async (name) => {
    const key = world.key(name, nextId());
    await world.put(key, 'before');
    await world.cached(key);
    await world.database.execute(`update ${name}s set owner = 'after' where id = ${key.text}`);
    await until(async () => (await world.owner(key)) === 'after');
    await world.database.execute(`delete from ${name}s where id = ${key.text}`);
    await until(async () => (await world.owner(key)) === null);
    await world.database.execute(`insert into ${name}s (id, owner) values (${key.text}, 'again')`);
    await until(async () => (await world.owner(key)) === 'again');
  });

  it('C2: writes of Lockstep’s own are not counted as going round it, and keep their values', async () => {
    const before = new Map(log.counts().bypassed);
    const keys = NAMES.map((name) => world.key(name, nextId()));
    for (const key of keys) await world.put(key, 'ours');
    const strict = keys[0] ?? world.key('strict', 0);
    const { changes } = log.counts();
    await world.put(world.key('plain', nextId()), 'last');
    await until(() => log.counts().changes > changes);
    expect(new Map(log.counts().bypassed)).toEqual(before);
    expect(await world.entry(strict)).toMatchObject({ state: 'value', version: 1 });
  });
});
