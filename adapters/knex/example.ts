import type { Client } from '@lockstep/client';
import { callGuard, createRead, invalidate } from '@lockstep/knex';
import type { Knex } from 'knex';

export function openShop(lockstep: Client, knex: Knex) {
  const read = createRead(lockstep, knex, {
    // Each column, and what its values are as the driver gives them.
    profile: { table: 'profiles', key: ['id'], columns: { id: 'string', name: 'string' } },
  });
  return {
    profile: (id: number) => read('profile', id),
    rename: (id: number, name: string) =>
      knex.transaction(async (trx) => {
        await trx('profiles').where({ id }).update({ name });
        await invalidate(trx, 'profile', id);
      }),
    pay: (id: number, amount: number) =>
      lockstep.guard([['account', id]], (guard) =>
        knex.transaction(async (trx) => {
          await callGuard(trx, guard);
          await trx('accounts').where({ id }).decrement('balance', amount);
        }),
      ),
  };
}
