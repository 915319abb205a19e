export { runInstance, type RunOptions, type ServingInstance } from './run.ts';
