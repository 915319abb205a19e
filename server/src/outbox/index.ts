export type * from './port.ts';
export { createOutboxStore } from './outbox-store.ts';
export { OutboxRelay } from './relay.ts';
export { OutboxCleanup } from './cleanup.ts';
export { OutboxForWriters } from './writer-outbox.ts';
export { type InvalidationResult, judgeSteps } from './delivery.ts';
export { invalidateAll } from './invalidate-all.ts';
