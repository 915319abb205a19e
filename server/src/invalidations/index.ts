export type * from './port.ts';
export { InvalidationCalls } from './invalidation-calls.ts';
export { createCallStore } from './sql-call-store.ts';
