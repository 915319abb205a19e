/** Lockstep for programs that write by Prisma. */
export { type PrismaClientLike, withLockstep } from './extension.ts';
export type { ModelResource, ModelResources } from './models.ts';
export { callGuard, invalidate, type Transaction } from './statements.ts';
