export type * from './port.ts';
export { createOutboxStore } from './outbox-store.ts';
export { OutboxRelay } from './relay.ts';
export { OutboxCleanup } from './cleanup.ts';
export { doLeftSteps } from './left-steps.ts';
export { type InvalidationResult, judgeSteps } from './delivery.ts';
export { invalidateAll } from './invalidate-all.ts';
