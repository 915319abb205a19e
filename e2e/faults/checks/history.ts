import { checkValues, checkVersions, describeViolation, parseHistory } from '@lockstep/checkers';

export interface HistoryJudgement {
  /** By what coordinators said of versions. */
  versions: string[];
  /** By values alone. */
  values: string[];
  /** Keys that the value checker could not decide within its bound. */
  undecided: number;
}

/** Bound on the value checker's work for one key, in configurations of about 200 bytes. */
const MAX_STATES = 300_000;

/** Both checkers over a run's history. */
export function judgeHistory(lines: readonly string[]): HistoryJudgement {
  const history = parseHistory(lines);
  const values = checkValues(history, { maxStates: MAX_STATES });
  return {
    versions: checkVersions(history).map(describeViolation),
    values: values.violations.map(describeViolation),
    undecided: values.unknownKeys.length,
  };
}
