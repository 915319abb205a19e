export { runInstance, type RunOptions, type ServingInstance } from './run.ts';
export type { EnginePorts } from './engine-ports.ts';
export { runWorker } from './worker.ts';
