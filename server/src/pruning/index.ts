export { createPruning } from './pruning.ts';
