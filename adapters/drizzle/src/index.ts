/** Lockstep for programs that write by Drizzle. */
export { cacheAs, LockstepCache, type LockstepCacheOptions } from './cache.ts';
export { createRead, type Database, type Read, type ResourceTable } from './read.ts';
export { callGuard, invalidate, type Transaction } from './statements.ts';
