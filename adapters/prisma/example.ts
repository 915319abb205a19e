import type { Client } from '@lockstep/client';
import { callGuard, withLockstep } from '@lockstep/prisma';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from './test/generated.ts'; // yours: what `prisma generate` makes

export function openShop(lockstep: Client, connectionString: string) {
  const prisma = withLockstep(
    new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
    lockstep,
    { profile: { model: 'Profile', key: ['id'] } },
  );
  return {
    prisma,
    /** From the cache. */
    profile: (id: number) => prisma.profile.findUnique({ where: { id } }),
    /** Invalidated in its transaction, or in that of the caller. */
    rename: (id: number, name: string) => prisma.profile.update({ where: { id }, data: { name } }),
    pay: (id: number, amount: number) =>
      lockstep.guard([['account', id]], (guard) =>
        prisma.$transaction(async (tx) => {
          await callGuard(tx, guard);
          const balance = { decrement: amount };
          await tx.account.update({ where: { id }, data: { balance } });
        }),
      ),
  };
}
