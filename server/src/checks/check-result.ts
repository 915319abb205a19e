import type { FieldFault } from '@lockstep/shared';

/** What was looked at, in words, and what is wrong. */
export interface CheckResult {
  /** What the coordinator cannot run with. */
  faults: FieldFault[];
  /** Faults of servers that may only not be up yet, or be away for a moment: `start` waits for these. */
  absent: FieldFault[];
  /** Faults of servers that a coordinator runs without for a time, as of one lock node of three. */
  spare: FieldFault[];
  /** What runs and should not be so, or what some calls will be refused for. */
  warnings: FieldFault[];
  /** One line each about what was found or could not be looked at. */
  notes: string[];
}

/** Several results as one. */
export function together(...results: readonly Partial<CheckResult>[]): CheckResult {
  return {
    faults: results.flatMap(({ faults = [] }) => faults),
    absent: results.flatMap(({ absent = [] }) => absent),
    spare: results.flatMap(({ spare = [] }) => spare),
    warnings: results.flatMap(({ warnings = [] }) => warnings),
    notes: results.flatMap(({ notes = [] }) => notes),
  };
}
