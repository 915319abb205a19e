import type { FieldFault } from '@lockstep/shared';

/** What checks have found. */
export interface CheckResult {
  /** Faults with which the coordinator cannot run. */
  faults: FieldFault[];
  /** Servers that do not answer. They may not be up yet, or be away for a moment, so `start` waits for them. */
  absent: FieldFault[];
  /** Faults of servers that a coordinator can do without for a time, such as one lock node of three. */
  spare: FieldFault[];
  /** Faults with which the coordinator runs, but that should be corrected, or that some calls will be refused for. */
  warnings: FieldFault[];
  /** Other findings, one line each, including what could not be checked. */
  notes: string[];
}

/** Several results, combined. */
export function together(...results: readonly Partial<CheckResult>[]): CheckResult {
  return {
    faults: results.flatMap(({ faults = [] }) => faults),
    absent: results.flatMap(({ absent = [] }) => absent),
    spare: results.flatMap(({ spare = [] }) => spare),
    warnings: results.flatMap(({ warnings = [] }) => warnings),
    notes: results.flatMap(({ notes = [] }) => notes),
  };
}
