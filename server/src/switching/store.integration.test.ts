import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  openTestDatabase,
  silentLog,
  type TestDatabase,
} from '@lockstep/testkit/database/open-test-database';
import { createTables, type TestResources } from '@lockstep/testkit/database/tables';
import { CacheKeyTemplate, type Resource } from '../domain/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { SwitchStore, type Standing } from './store.ts';

describe.each(installedClients())('policies of the cluster on %s', (client) => {
  let database: TestDatabase;
  let tables: TestResources;
  let store: SwitchStore;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    tables = await createTables(database);
    store = new SwitchStore(database.sql, systemRuntime(silentLog));
  });
  afterAll(() => database.drop());

  const named = (name: string, policy: Resource['policy']): Resource => ({
    ...tables.account,
    ...{ name, policy },
  });
  const standing = async (name: string): Promise<Standing | undefined> =>
    (await store.standings()).find(({ resource }) => resource === name);

  it('counts an epoch for each definition that is led, and none for the same one', async () => {
    const strict = named('led', 'strict');
    const epochs: number[] = [];
    for (const each of [strict, strict, named('led', 'delete-after-write'), strict])
      epochs.push((await store.adopt([each], 'lead'))[0]?.epoch ?? 0);
    expect(epochs).toEqual([1, 1, 2, 3]);
    expect(await standing('led')).toMatchObject({ epoch: 3, isComplete: false });
  });

  it('keeps every template that was not swept for, until a switch is complete (P8)', async () => {
    const at = (text: string): Resource => ({
      ...named('moved', 'delete-after-write'),
      cacheKey: new CacheKeyTemplate(text),
    });
    const led = async (text: string): Promise<Standing> => {
      const [led] = await store.adopt([at(text)], 'lead');
      if (led === undefined) throw new Error('nothing was led');
      return led;
    };
    await store.complete('moved', (await led('first:{id}')).epoch);
    await led('second:{id}');
    const third = await led('third:{id}');
    expect(new Set(third.definition.former)).toEqual(new Set(['first:{id}', 'second:{id}']));
    await store.complete('moved', third.epoch);
    expect((await led('fourth:{id}')).definition.former).toEqual(['third:{id}']);
  });

  it('lets who follows take what the cluster has, and change nothing of it (P10)', async () => {
    const [strict, old] = [named('followed', 'strict'), named('followed', 'delete-after-write')];
    const other = named('other', 'strict');
    await store.adopt([other, strict], 'lead');
    expect(await store.adopt([other, strict], 'follow')).toMatchObject([
      { epoch: 1 },
      { epoch: 1 },
    ]);
    const refused = store.adopt([named('unknown', 'strict'), other, old], 'follow');
    await expect(refused).rejects.toMatchObject({ code: 'FENCED' });
    expect(await standing('followed')).toMatchObject({
      epoch: 1,
      definition: { is: { policy: 'strict' } },
    });
    expect(await standing('unknown')).toBeUndefined();
  });

  it('lets one of many who lead and follow at once decide, never back and forth (P10)', async () => {
    const [strict, old] = [named('contested', 'strict'), named('contested', 'delete-after-write')];
    for (let epoch = 2; epoch < 20; epoch += 2) {
      await store.adopt([old], 'lead');
      const followers = Array.from({ length: 4 }, () => store.adopt([old], 'follow'));
      const [led, ...followed] = await Promise.allSettled([
        store.adopt([strict], 'lead'),
        ...followers,
      ]);
      expect(led).toMatchObject({ status: 'fulfilled' });
      for (const each of followed)
        if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'FENCED' });
      expect(await standing('contested')).toMatchObject({
        ...{ epoch, definition: { is: { policy: 'strict' } } },
      });
    }
  });
});
