export type * from './port.ts';
export { createOutboxStore } from './knex-outbox-store.ts';
export { createOutboxRelay, type OutboxRelay } from './relay.ts';
export { createOutboxCleanup, type OutboxCleanup } from './cleanup.ts';
