export { atMost } from './at-most.ts';
export { createLog } from './log.ts';
export { Rounds } from './rounds.ts';
export type * from './ports.ts';
export { systemRuntime } from './system.ts';
