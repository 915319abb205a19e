export { createLog } from './log.ts';
export type * from './ports.ts';
export { systemRuntime } from './system.ts';
