/** What `lockstep doctor` prints: what was found, how much it matters, and what mends it. */
import type { FieldFault } from '@lockstep/shared';
import type { CheckResult } from './check-result.ts';

/**
 * `fault`: a coordinator does not start, or does without a server. `warning`: it runs, and something should be
 * corrected. `note`: for information.
 */
export const FINDING_LEVELS = ['fault', 'warning', 'note'] as const;

export interface Finding {
  level: (typeof FINDING_LEVELS)[number];
  /** The configuration's field that it is about, or what else it is about, such as `clocks`. */
  area: string;
  message: string;
  /** The command or setting that mends it; null: nothing is to be mended. */
  mend: string | null;
}

/** Lines of checks say what is wrong, then what is allowed or advised. */
const MEND = /^([\s\S]*?); (?:allowed(?: beside [^:]+)?|advised|if [^:;]+): ([\s\S]+)$/;

/** The lines of checks as findings. */
export function findingsOf({ faults, absent, spare, warnings, notes }: CheckResult): Finding[] {
  return [
    ...[...faults, ...absent, ...spare].map((line) => findingOf('fault', line)),
    ...warnings.map((line) => findingOf('warning', line)),
    ...notes.map((note) => noteOf(note)),
  ];
}

export function findingOf(level: Finding['level'], { path, message }: FieldFault): Finding {
  const [, what = message, mend = null] = MEND.exec(message) ?? [];
  return { level, area: path, message: what, mend };
}

/** A note of a check begins with what it is about: `cache: Redis 7.2`. */
function noteOf(note: string): Finding {
  const [, area = 'configuration', message = note] = /^([a-z ]+): ([\s\S]+)$/.exec(note) ?? [];
  return { level: 'note', area, message, mend: null };
}
