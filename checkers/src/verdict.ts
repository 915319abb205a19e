import type { Operation } from './history.ts';

/** One thing that must not have been, with the operations that show it. */
export interface Violation {
  /** The invariant of docs/SPEC.md that it breaks, or `values` where no order of a key's operations explains them. */
  rule: string;
  key: string;
  message: string;
  operations: Operation[];
}

/** `unknown`: the search ended at its bound before it knew. */
export type Verdict = 'holds' | 'violated' | 'unknown';
