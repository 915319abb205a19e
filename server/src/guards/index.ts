export { type GuardOptions, MIN_GUARD_TTL_MS } from './guard-options.ts';
export { createGuardStore } from './sql-guard-store.ts';
export type * from './port.ts';
