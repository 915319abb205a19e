export { atMost } from './at-most.ts';
export { createLog } from './log.ts';
export { Batcher } from './batcher.ts';
export type * from './ports.ts';
export { Sequence } from './sequence.ts';
export { systemRuntime } from './system.ts';
