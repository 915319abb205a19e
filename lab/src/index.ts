export { answersOf, exploreStrategy, LabError, type Report, tracesOf } from './explore-strategy.ts';
export type { Trace } from './explore/explore.ts';
export type { Move } from './explore/machine.ts';
export { PROPERTIES, type Property } from './model/process.ts';
export type { Bounds, Strategy, Weakness } from './model/strategy.ts';
export { lifelinesOf, sequenceDiagram } from './print/sequence-diagram.ts';
export { STRATEGIES } from './strategies/index.ts';
export { VARIANTS } from './strategies/variants.ts';
