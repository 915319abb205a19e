export { drawPlan, plansFor } from './plan/draw.ts';
export type * from './plan/plan.ts';
export type { Violation } from './rules/referee.ts';
export { RULES, type RuleName } from './rules/rules.ts';
export { shrink, sizeOf, type Shrunk } from './shrink.ts';
export { type Replicated, simulate, type RunOptions, type RunResult } from './simulate.ts';
