import type { History } from './history.ts';
import { checkValues, type ValueOptions } from './values/checker.ts';
import { checkVersions } from './versions/checker.ts';
import type { Verdict, Violation } from './verdict.ts';

export interface Judgement {
  verdict: Verdict;
  violations: Violation[];
  /** Keys whose search by values ended at its bound. */
  unknownKeys: string[];
  operations: number;
  keys: number;
}

/** Judges a history by versions and by values. */
export function judge(history: History, options: ValueOptions = {}): Judgement {
  const byVersions = checkVersions(history);
  const byValues = checkValues(history, options);
  return {
    verdict: byVersions.length > 0 ? 'violated' : byValues.verdict,
    violations: [...byVersions, ...byValues.violations],
    unknownKeys: byValues.unknownKeys,
    operations: history.operations.length,
    keys: new Set(history.operations.map(({ key }) => key)).size,
  };
}
