import type { FieldFault } from '@lockstep/shared';

/** What was looked at, in words, and what is wrong. */
export interface CheckResult {
  faults: FieldFault[];
  /** One line each about what was found or could not be looked at. */
  notes: string[];
}
