export { answersOf, exploreStrategy, LabError, type Report, tracesOf } from './explore-strategy.ts';
export type { Progress, Trace } from './explore/explore.ts';
export type { Move } from './explore/machine.ts';
export type { ReadNow, Scene } from './explore/scene.ts';
export { PROPERTIES, type Property } from './model/process.ts';
export type { Bounds, Strategy, Weakness } from './model/strategy.ts';
export { type Narration, narrate } from './print/narration.ts';
export { lifelinesOf, sequenceDiagram } from './print/sequence-diagram.ts';
export { STRATEGIES } from './strategies/index.ts';
export { VARIANTS } from './strategies/variants.ts';
export {
  databaseShare,
  measuredOf,
  type Measured,
  type MeasuredOf,
  type Measurements,
  stalePerMillion,
} from './measurements.ts';
