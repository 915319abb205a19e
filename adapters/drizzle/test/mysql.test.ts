import { eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/mysql2';
import {
  bigint,
  boolean,
  customType,
  date,
  decimal,
  int,
  mysqlTable,
  timestamp,
  varchar,
} from 'drizzle-orm/mysql-core';
import { createPool } from 'mysql2/promise';
import { describe, expect } from 'vitest';
import { describeShop } from '@lockstep/adapter-testing/suite';
import { isMysqlInstalled } from '@lockstep/testkit/servers';
import { cacheAs, callGuard, createRead, invalidate, LockstepCache } from '../src/index.ts';
import { testCache } from './shared.ts';

const blob = customType<{ data: Buffer }>({ dataType: () => 'blob' });
const profiles = mysqlTable('profiles', {
  id: bigint({ mode: 'bigint' }).primaryKey(),
  name: varchar({ length: 200 }).notNull(),
  score: decimal(),
  visits: int(),
  isActive: boolean('active'),
  seenAt: timestamp('seen_at', { fsp: 3 }),
  birthday: date(),
  photo: blob(),
});
const accounts = mysqlTable('accounts', {
  id: bigint({ mode: 'number' }).primaryKey(),
  owner: varchar({ length: 100 }).notNull(),
  balance: bigint({ mode: 'number' }).notNull(),
});
const total = sql<string>`cast(sum(${accounts.balance}) as char)`;

function open(uri: string, cache: LockstepCache) {
  const pool = createPool({ uri, timezone: 'Z' });
  return cache.attach(drizzle({ client: pool, cache }));
}

describe.runIf(isMysqlInstalled())('Drizzle on mysql2', () => {
  let db: ReturnType<typeof open>;
  const suite = describeShop('mysql2', ({ databaseUrl, lockstep }) => {
    db = open(databaseUrl, new LockstepCache(lockstep));
    const read = createRead(lockstep, db, {
      profile: {
        ...{ table: profiles, key: ['id'] },
        columns: { photo: 'bytes', seenAt: 'date' },
      },
    });
    return {
      shop: {
        profile: (id) => read('profile', id),
        rename: (id, name) =>
          db.transaction(async (tx) => {
            await tx
              .update(profiles)
              .set({ name })
              .where(eq(profiles.id, BigInt(id)));
            await invalidate(tx, 'profile', id);
          }),
        pay: (id, amount) =>
          lockstep.guard([['account', id]], (guard) =>
            db.transaction(async (tx) => {
              await callGuard(tx, guard);
              const balance = sql`${accounts.balance} - ${amount}`;
              await tx.update(accounts).set({ balance }).where(eq(accounts.id, id));
            }),
          ),
      },
      stored: async (id) =>
        (
          await db
            .select()
            .from(profiles)
            .where(eq(profiles.id, BigInt(id)))
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

  testCache(suite, () => ({
    total: (owner) =>
      db
        .select({ total })
        .from(accounts)
        .where(eq(accounts.owner, owner))
        .$withCache(cacheAs('owner-total', owner)),
    totalInTransaction: (owner, id, balance, failure) =>
      db.transaction(async (tx) => {
        await tx.update(accounts).set({ balance }).where(eq(accounts.id, id));
        const rows = await tx
          .select({ total })
          .from(accounts)
          .where(eq(accounts.owner, owner))
          .$withCache(cacheAs('owner-total', owner));
        expect(rows).toEqual([{ total: String(balance) }]);
        if (failure !== undefined) throw failure;
        return rows;
      }),
    failing: (owner) =>
      db
        .select({ total: sql`no_such_function()` })
        .from(accounts)
        .$withCache(cacheAs('owner-total', owner)),
  }));
});
