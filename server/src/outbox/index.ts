export type * from './port.ts';
export { createOutboxStore } from './knex-outbox-store.ts';
export { createOutboxRelay, type OutboxRelay } from './relay.ts';
export { createRemover, type Remover } from './remover.ts';
