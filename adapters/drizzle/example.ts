import type { Client } from '@lockstep/client';
import { cacheAs, callGuard, createRead, invalidate, LockstepCache } from '@lockstep/drizzle';
import { eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { bigint, pgTable, text } from 'drizzle-orm/pg-core';

const id = bigint({ mode: 'number' }).primaryKey();
export const profiles = pgTable('profiles', { id, name: text().notNull() });
export const accounts = pgTable('accounts', {
  id,
  owner: text().notNull(),
  balance: bigint({ mode: 'bigint' }).notNull(),
});

export function openShop(lockstep: Client, databaseUrl: string) {
  const cache = new LockstepCache(lockstep);
  const db = cache.attach(drizzle(databaseUrl, { cache }));
  const read = createRead(lockstep, db, { profile: { table: profiles, key: ['id'] } });
  const total = sql<string>`sum(${accounts.balance})`;
  return {
    db,
    profile: (id: number) => read('profile', id),
    rename: (id: number, name: string) =>
      db.transaction(async (tx) => {
        await tx.update(profiles).set({ name }).where(eq(profiles.id, id));
        await invalidate(tx, 'profile', id);
      }),
    pay: (id: number, amount: number) =>
      lockstep.guard([['account', id]], (guard) =>
        db.transaction(async (tx) => {
          await callGuard(tx, guard);
          const balance = sql`${accounts.balance} - ${amount}`;
          await tx.update(accounts).set({ balance }).where(eq(accounts.id, id));
        }),
      ),
    /** A computed resource with the parameter `owner`, which depends on accounts. */
    ownerTotal: (owner: string) =>
      db
        .select({ total })
        .from(accounts)
        .where(eq(accounts.owner, owner))
        .$withCache(cacheAs('owner-total', owner)),
  };
}
