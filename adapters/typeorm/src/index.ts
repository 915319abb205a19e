/** Lockstep for programs that write by TypeORM. */
export type { EntityResource, EntityResources } from './entities.ts';
export { createRead, type Read } from './read.ts';
export { callGuard, invalidate } from './statements.ts';
export { subscribe } from './subscriber.ts';
