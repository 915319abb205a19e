import type { Client } from '@lockstep/client';
import { callGuard, createRead, subscribe } from '@lockstep/typeorm';
import { type DataSource, EntitySchema } from 'typeorm';

export const Account = new EntitySchema<{ id: string; owner: string; balance: string }>({
  name: 'Account',
  tableName: 'accounts',
  columns: {
    id: { type: 'bigint', primary: true },
    owner: { type: 'varchar' },
    balance: { type: 'bigint' },
  },
});
export const Profile = new EntitySchema<{ id: string; name: string; visits: number | null }>({
  name: 'Profile',
  tableName: 'profiles',
  columns: {
    id: { type: 'bigint', primary: true },
    name: { type: 'varchar' },
    visits: { type: 'int', nullable: true },
  },
});

export function openShop(lockstep: Client, dataSource: DataSource) {
  const resources = { profile: { entity: Profile } };
  subscribe(dataSource, resources); // what is saved and removed is invalidated in its transaction
  const read = createRead(lockstep, dataSource, resources);
  return {
    profile: (id: number) => read('profile', id),
    rename: (id: number, name: string) =>
      dataSource.getRepository(Profile).save({ id: String(id), name }),
    pay: (id: number, amount: number) =>
      lockstep.guard([['account', id]], (guard) =>
        dataSource.transaction(async (manager) => {
          await callGuard(manager, guard);
          await manager.decrement(Account, { id: String(id) }, 'balance', amount);
        }),
      ),
  };
}
