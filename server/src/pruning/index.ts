export { Pruning, type PruningOptions } from './pruning.ts';
