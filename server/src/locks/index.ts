export { QueueingLockService } from './lock-service.ts';
export type * from './port.ts';
export { RedlockNodes } from './redlock-lock-nodes.ts';
