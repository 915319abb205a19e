import { join } from 'node:path';
import { DataSource, EntitySchema } from 'typeorm';
import { describe, expect, test } from 'vitest';
import {
  cachedProfile,
  describeReadme,
  describeShop,
  isGone,
  newId,
} from '@lockstep/adapter-testing/suite';
import { type DatabaseClient, installedClients } from '@lockstep/testkit/servers';
import { Account, openShop, Profile } from '../example.ts';
import { createRead, invalidate, subscribe } from '../src/index.ts';

interface WholeProfile {
  id: string;
  name: string;
  score: string | null;
  visits: number | null;
  isActive: boolean | null;
  seenAt: Date | null;
  birthday: string | null;
  document: object | null;
  photo: Buffer | null;
}

/** All columns, under names of their own. */
const wholeProfile = (client: DatabaseClient) =>
  new EntitySchema<WholeProfile>({
    name: 'WholeProfile',
    tableName: 'profiles',
    columns: {
      id: { type: 'bigint', primary: true },
      name: { type: 'varchar' },
      score: { type: 'decimal', nullable: true },
      visits: { type: 'int', nullable: true },
      isActive: { name: 'active', type: Boolean, nullable: true },
      seenAt: {
        ...{ name: 'seen_at', nullable: true },
        type: client === 'pg' ? 'timestamptz' : 'timestamp',
      },
      birthday: { type: 'date', nullable: true },
      document: { type: 'json', nullable: true },
      photo: { type: client === 'pg' ? 'bytea' : 'blob', nullable: true },
    },
  });

const Route = new EntitySchema<{ origin: string; destination: string; miles: number }>({
  name: 'Route',
  tableName: 'routes',
  columns: {
    origin: { type: 'varchar', primary: true },
    destination: { type: 'varchar', primary: true },
    miles: { type: 'int' },
  },
});

const Dated = new EntitySchema<{ id: string; seenAt: Date }>({
  name: 'Dated',
  tableName: 'profiles',
  columns: {
    id: { type: 'bigint', primary: true },
    seenAt: { name: 'seen_at', type: Date },
  },
});

const OPEN: Record<DatabaseClient, (url: string, entities: EntitySchema[]) => DataSource> = {
  pg: (url, entities) => new DataSource({ type: 'postgres', url, entities }),
  mysql2: (url, entities) => new DataSource({ type: 'mysql', url, entities, timezone: 'Z' }),
};

describe.each(installedClients())('TypeORM on %s', (client) => {
  let dataSource: DataSource;
  const Whole = wholeProfile(client);
  const { bed, orm } = describeShop(client, async ({ databaseUrl, lockstep }) => {
    dataSource = OPEN[client](databaseUrl, [Account, Profile, Whole, Route, Dated]);
    await dataSource.initialize();
    subscribe(dataSource, { route: { entity: Route } });
    const read = createRead(lockstep, dataSource, {
      // The zone of `timestamp` on MySQL is the session's.
      profile: { entity: Whole, columns: { seenAt: 'date' } },
    });
    return {
      shop: { ...openShop(lockstep, dataSource), profile: (id) => read('profile', id) },
      stored: (id) => dataSource.getRepository(Whole).findOneBy({ id: String(id) }),
      invalidate: (resource, key, failure) =>
        dataSource.transaction(async (manager) => {
          await invalidate(manager, resource, key);
          if (failure !== undefined) throw failure;
        }),
      invalidateAlone: () => invalidate(dataSource.manager, 'profile', 1),
      close: () => dataSource.destroy(),
    };
  });

  const cachedRoute = async (): Promise<{ origin: string; destination: string; key: string }> => {
    const [origin, destination] = [`o${newId()}`, `d${newId()}`];
    await bed().plain.run(`insert into routes values ('${origin}', '${destination}', 1)`);
    const key = `route:${origin}:${destination}`;
    await expect
      .poll(async () => {
        await bed().lockstep.get('route', [origin, destination]);
        return bed().state(key);
      })
      .toBe('value');
    return { origin, destination, key };
  };

  test('the README reads its entity', async () => {
    const id = await cachedProfile(bed());
    const stored = await dataSource.getRepository(Profile).findOneBy({ id: String(id) });
    expect(
      await createRead(bed().lockstep, dataSource, { profile: { entity: Profile } })('profile', id),
    ).toStrictEqual(stored);
  });

  test('W19: an entity that is saved, with the key that it had and the one that it gets', async () => {
    const { key, ...route } = await cachedRoute();
    const repository = dataSource.getRepository(Route);
    await repository.save({ ...route, miles: 2 });
    await isGone(bed(), key);
    const row = await bed().lockstep.get('route', [route.origin, route.destination]);
    expect(row).toMatchObject({ value: { miles: 2 } });
  });

  test('W19: an entity that is inserted, where the cache said that there is none', async () => {
    const id = newId();
    expect(await bed().lockstep.get('profile', id)).toBe(null);
    await expect.poll(() => bed().state(`profile:${id}`)).toBe('value');
    await dataSource.getRepository(Profile).save({ id: String(id), name: 'Ada', visits: 1 });
    await isGone(bed(), `profile:${id}`);
    expect(await bed().lockstep.get('profile', id)).toMatchObject({ value: { name: 'Ada' } });
  });

  test('W19: an entity that is removed', async () => {
    const { key, ...route } = await cachedRoute();
    const repository = dataSource.getRepository(Route);
    const entity = await repository.findOneByOrFail(route);
    await repository.remove(entity);
    await isGone(bed(), key);
    expect(await bed().lockstep.get('route', [route.origin, route.destination])).toBe(null);
  });

  test('W19: a removal that rolls back keeps the entry', async () => {
    const [kept, gone] = [await cachedRoute(), await cachedRoute()];
    const failure = new Error('the transaction fails');
    const failing = dataSource.transaction(async (manager) => {
      const { origin, destination } = kept;
      await manager.remove(Route, await manager.findOneByOrFail(Route, { origin, destination }));
      throw failure;
    });
    await expect(failing).rejects.toThrow(failure.message);
    await orm().invalidate('route', [gone.origin, gone.destination]);
    await isGone(bed(), gone.key);
    expect(await bed().state(kept.key)).toBe('value');
  });

  test('W19: a change by a query builder takes the whole resource', async () => {
    for (const change of ['update', 'delete'] as const) {
      const { key, origin } = await cachedRoute();
      await dataSource.transaction(async (manager) => {
        if (change === 'update') await manager.update(Route, { origin }, { miles: 9 });
        else await manager.delete(Route, { origin });
      });
      await isGone(bed(), key);
    }
  });

  test('a change outside of a transaction is refused before it is made', async () => {
    const { key, ...route } = await cachedRoute();
    const repository = dataSource.getRepository(Route);
    await expect(repository.update(route, { miles: 9 })).rejects.toThrow(/transaction/);
    await expect(repository.delete(route)).rejects.toThrow(/transaction/);
    await expect(repository.insert({ ...route, origin: 'new', miles: 1 })).rejects.toThrow(
      /transaction/,
    );
    expect(await repository.findOneBy(route)).toMatchObject({ miles: 1 });
    expect(await bed().state(key)).toBe('value');
  });

  test('an entity that no cached row makes is refused by name', () => {
    const { lockstep } = bed();
    const resources = { profile: { entity: Dated } };
    expect(() => createRead(lockstep, dataSource, resources)).toThrow(/Dated.seenAt.*columns/);
    const columns = { seenAt: 'date' } as const;
    expect(createRead(lockstep, dataSource, { profile: { entity: Dated, columns } })).toBeTypeOf(
      'function',
    );
  });
});

describeReadme(join(import.meta.dirname, '..'));
