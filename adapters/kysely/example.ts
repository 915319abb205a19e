import type { Client } from '@lockstep/client';
import { callGuard, createRead, invalidate } from '@lockstep/kysely';
import type { Kysely } from 'kysely';

export interface Tables {
  profiles: { id: string | number; name: string };
  accounts: { id: string | number; owner: string; balance: string | number };
}

export function openShop(lockstep: Client, db: Kysely<Tables>) {
  const read = createRead(lockstep, db, {
    // Each column, and what its values are as the driver gives them.
    profile: { table: 'profiles', key: ['id'], columns: { id: 'string', name: 'string' } },
  });
  return {
    profile: (id: number) => read('profile', id),
    rename: (id: number, name: string) =>
      db.transaction().execute(async (trx) => {
        await trx.updateTable('profiles').set({ name }).where('id', '=', id).execute();
        await invalidate(trx, 'profile', id);
      }),
    pay: (id: number, amount: number) =>
      lockstep.guard([['account', id]], (guard) =>
        db.transaction().execute(async (trx) => {
          await callGuard(trx, guard);
          await trx
            .updateTable('accounts')
            .set((eb) => ({ balance: eb('balance', '-', amount) }))
            .where('id', '=', id)
            .execute();
        }),
      ),
  };
}
