export { runInstance, type RunOptions, type ServingInstance } from './run.ts';
export type { AlterPorts } from './engine.ts';
export type { EnginePorts } from './engine-ports.ts';
