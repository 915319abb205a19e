import { join } from 'node:path';
import { eq, sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  date,
  integer,
  jsonb,
  numeric,
  pgTable,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/node-postgres';
import { describe, expect, test } from 'vitest';
import { cachedProfile, describeReadme, describeShop } from '@lockstep/adapter-testing/suite';
import { accounts, openShop } from '../example.ts';
import { cacheAs, createRead, invalidate, LockstepCache } from '../src/index.ts';
import { testCache } from './shared.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const wholeProfiles = pgTable('profiles', {
  id: bigint('id', { mode: 'bigint' }).primaryKey(),
  name: text('name').notNull(),
  score: numeric('score'),
  visits: integer('visits'),
  isActive: boolean('active'),
  seenAt: timestamp('seen_at', { withTimezone: true }),
  birthday: date('birthday'),
  document: jsonb('document'),
  photo: bytea('photo'),
});

describe('Drizzle on pg', () => {
  let shop: ReturnType<typeof openShop>;
  const suite = describeShop('pg', ({ databaseUrl, lockstep }) => {
    shop = openShop(lockstep, databaseUrl);
    const { db } = shop;
    const read = createRead(lockstep, db, {
      profile: { table: wholeProfiles, key: ['id'], columns: { photo: 'bytes' } },
    });
    return {
      shop: { ...shop, profile: (id) => read('profile', id) },
      stored: async (id) =>
        (
          await db
            .select()
            .from(wholeProfiles)
            .where(eq(wholeProfiles.id, BigInt(id)))
        )[0],
      invalidate: (resource, key, failure) =>
        db.transaction(async (tx) => {
          await invalidate(tx, resource, key);
          if (failure !== undefined) throw failure;
        }),
      // @ts-expect-error it is no transaction
      invalidateAlone: () => invalidate(db, 'profile', 1),
      close: () => db.$client.end(),
    };
  });
  const { bed } = suite;

  testCache(suite, () => ({
    total: (owner) => shop.ownerTotal(owner),
    totalInTransaction: (owner, id, balance, failure) =>
      shop.db.transaction(async (tx) => {
        await tx
          .update(accounts)
          .set({ balance: BigInt(balance) })
          .where(eq(accounts.id, id));
        const rows = await tx
          .select({ total: sql<string>`sum(${accounts.balance})` })
          .from(accounts)
          .where(eq(accounts.owner, owner))
          .$withCache(cacheAs('owner-total', owner));
        expect(rows).toEqual([{ total: String(balance) }]);
        if (failure !== undefined) throw failure;
        return rows;
      }),
    failing: (owner) =>
      shop.db
        .select({ total: sql`1 / 0` })
        .from(accounts)
        .$withCache(cacheAs('owner-total', owner)),
  }));

  test('the README reads its table', async () => {
    const id = await cachedProfile(bed());
    expect(await shop.profile(id)).toStrictEqual({ id, name: 'Ada' });
  });

  test('a load that a write overtakes fills nothing (drizzle-orm#5828)', async () => {
    const owner = 'overtaken';
    await bed().plain.run(`insert into accounts values (900001, '${owner}', 5)`);
    const { lockstep } = bed();
    const cache = new LockstepCache(lockstep);
    cache.attach(shop.db);
    const { tag } = cacheAs('owner-total', owner);
    expect(await cache.get(tag, [], true)).toBe(undefined);
    // The query has read 5, and its answer is late.
    await lockstep.patch('account', 900001, { balance: 7 });
    await cache.put(tag, { rows: [['5']] }, [], true);
    await expect.poll(() => shop.ownerTotal(owner)).toEqual([{ total: '7' }]);
    expect(await shop.ownerTotal(owner)).toEqual([{ total: '7' }]);
  });

  test('a tag that is used again, and a cache without its database, are refused', async () => {
    const { lockstep } = bed();
    const again = cacheAs('owner-total', 'again');
    const query = () => shop.db.select({ id: accounts.id }).from(accounts).$withCache(again);
    await query();
    await expect(query()).rejects.toThrow(/one run of one query/);
    const alone = new LockstepCache(lockstep);
    await expect(alone.get(cacheAs('owner-total', 'x').tag, [], true)).rejects.toThrow(/attach/);
  });

  test('a column whose type does not say what Drizzle gives is refused by name', () => {
    const { lockstep } = bed();
    const local = pgTable('profiles', { id: integer(), seenAt: timestamp('seen_at') });
    expect(() =>
      createRead(lockstep, drizzle.mock(), { profile: { table: local, key: ['id'] } }),
    ).toThrow(/profiles.seenAt is a PgTimestamp/);
  });
});

describeReadme(join(import.meta.dirname, '..'));
