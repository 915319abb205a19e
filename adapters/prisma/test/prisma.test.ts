import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { describe, expect, test } from 'vitest';
import {
  cachedProfile,
  describeReadme,
  describeShop,
  isGone,
  newId,
} from '@lockstep/adapter-testing/suite';
import { openShop } from '../example.ts';
import { invalidate, withLockstep } from '../src/index.ts';
import { PrismaClient } from './generated.ts';

describe('Prisma on pg', () => {
  let plain: PrismaClient;
  let prisma: PrismaClient;
  const { bed, orm } = describeShop('pg', ({ databaseUrl, lockstep }) => {
    const shop = openShop(lockstep, databaseUrl);
    plain = new PrismaClient({ adapter: new PrismaPg({ connectionString: databaseUrl }) });
    prisma = withLockstep(shop.prisma, lockstep, {
      route: { model: 'Route', key: ['origin', 'destination'] },
    });
    return {
      shop,
      stored: (id) => plain.profile.findUnique({ where: { id } }),
      invalidate: (resource, key, failure) =>
        prisma.$transaction(async (tx) => {
          await invalidate(tx, resource, key);
          if (failure !== undefined) throw failure;
        }),
      // @ts-expect-error it is no transaction
      invalidateAlone: () => invalidate(prisma, 'profile', 1),
      close: () => Promise.all([prisma.$disconnect(), plain.$disconnect()]),
    };
  });

  const nameOf = async (id: number): Promise<unknown> =>
    (await bed().lockstep.get('profile', id))?.value['name'];
  const cachedRoute = async () => {
    const route = { origin: `o${newId()}`, destination: `d${newId()}` };
    await plain.route.create({ data: { ...route, miles: 1 } });
    const key = `route:${route.origin}:${route.destination}`;
    await expect
      .poll(async () => {
        await bed().lockstep.get('route', [route.origin, route.destination]);
        return bed().state(key);
      })
      .toBe('value');
    return { route, key, where: { origin_destination: route } };
  };

  test('W19: a write in a transaction of the caller’s commits and rolls back with it', async () => {
    const [kept, gone] = [await cachedProfile(bed()), await cachedProfile(bed())];
    const failure = new Error('the transaction fails');
    const failing = prisma.$transaction(async (tx) => {
      await tx.profile.update({ where: { id: kept }, data: { name: 'Bea' } });
      throw failure;
    });
    await expect(failing).rejects.toThrow(failure.message);
    await prisma.$transaction((tx) =>
      tx.profile.update({ where: { id: gone }, data: { name: 'Bea' } }),
    );
    await isGone(bed(), `profile:${gone}`);
    expect(await nameOf(gone)).toBe('Bea');
    expect(await bed().state(`profile:${kept}`)).toBe('value');
  });

  test('W19: a row whose key changes, with both of its keys', async () => {
    const id = await cachedProfile(bed());
    const next = newId();
    expect(await bed().lockstep.get('profile', next)).toBe(null);
    await prisma.profile.update({ where: { id }, data: { id: next }, select: { name: true } });
    await isGone(bed(), `profile:${id}`);
    await isGone(bed(), `profile:${next}`);
    expect([await nameOf(id), await nameOf(next)]).toEqual([undefined, 'Ada']);
  });

  test('W19: a row that is created, upserted and deleted', async () => {
    const id = newId();
    expect(await bed().lockstep.get('profile', id)).toBe(null);
    await prisma.profile.create({ data: { id, name: 'Ada' }, select: { name: true } });
    await expect.poll(() => nameOf(id)).toBe('Ada');
    const [create, update] = [{ id, name: 'never' }, { name: 'Bea' }];
    await prisma.profile.upsert({ where: { id }, create, update });
    await expect.poll(() => nameOf(id)).toBe('Bea');
    await prisma.profile.delete({ where: { id } });
    await expect.poll(() => nameOf(id)).toBe(undefined);
  });

  test('W19: a composite key', async () => {
    const { key, where, route } = await cachedRoute();
    expect(await prisma.route.findUnique({ where })).toStrictEqual({ ...route, miles: 1 });
    await prisma.route.update({ where, data: { miles: 2 } });
    await isGone(bed(), key);
    await expect.poll(async () => (await prisma.route.findUnique({ where }))?.miles).toBe(2);
  });

  test('W19: a write of many takes the whole resource', async () => {
    const { key, route } = await cachedRoute();
    await prisma.route.updateMany({ where: { origin: route.origin }, data: { miles: 3 } });
    await isGone(bed(), key);
  });

  test('a read in a transaction, or of some fields, goes to the database', async () => {
    const id = await cachedProfile(bed());
    await bed().plain.run(`update profiles set visits = 8 where id = ${id}`);
    expect(await prisma.profile.findUnique({ where: { id } })).toMatchObject({ visits: 7 });
    const select = { visits: true };
    expect(await prisma.profile.findUnique({ where: { id }, select })).toEqual({ visits: 8 });
    const found = prisma.$transaction((tx) => tx.profile.findUnique({ where: { id } }));
    expect(await found).toMatchObject({ visits: 8 });
  });

  test('a list of writes is refused', async () => {
    const { where, key } = await cachedRoute();
    const write = () => prisma.route.update({ where, data: { miles: 4 } });
    await expect(prisma.$transaction([write()])).rejects.toThrow(/list of operations/);
    expect(await plain.route.findUnique({ where })).toMatchObject({ miles: 1 });
    expect(await bed().state(key)).toBe('value');
    await orm().invalidate('route', [where.origin_destination.origin]);
  });

  test('a client outside of the transaction that runs writes in one of its own', async () => {
    const { where, key } = await cachedRoute();
    const failing = prisma.$transaction(async () => {
      await prisma.route.update({ where, data: { miles: 5 } });
      throw new Error('the outer transaction fails');
    });
    await expect(failing).rejects.toThrow('the outer transaction fails');
    await isGone(bed(), key);
    expect(await plain.route.findUnique({ where })).toMatchObject({ miles: 5 });
  });

  test('a model or field that the schema does not have is refused', () => {
    const { lockstep } = bed();
    const wrap = (model: string, key: string) =>
      withLockstep(plain, lockstep, { route: { model, key: [key] } });
    expect(() => wrap('Road', 'origin')).toThrow(/no model Road/);
    expect(() => wrap('Route', 'from')).toThrow(/no field from/);
  });
});

describeReadme(join(import.meta.dirname, '..'));
