export { createLockService, type ReportingLockService } from './lock-service.ts';
export type * from './port.ts';
export { connectLockNodes, type ConnectedLockNodes } from './redlock-lock-nodes.ts';
