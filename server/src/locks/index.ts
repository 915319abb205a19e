export { QueueingLockService } from './lock-service.ts';
export type * from './port.ts';
export { LockGroups } from './lock-groups.ts';
