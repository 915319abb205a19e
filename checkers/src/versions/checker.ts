import { operationsByKey } from '../by-key.ts';
import type { History } from '../history.ts';
import type { Violation } from '../verdict.ts';
import { chainOf } from './chain.ts';
import { readsAreNotBelow, readsReachMinVersion } from './reads.ts';
import { answersAgree } from './values.ts';
import { conditionsHold, noGap, repeatsAreOne, uniqueVersions, writesGrow } from './writes.ts';

const RULES = [
  uniqueVersions,
  repeatsAreOne,
  writesGrow,
  conditionsHold,
  noGap,
  readsAreNotBelow,
  readsReachMinVersion,
  answersAgree,
];

/** How many violations of one key and rule are reported; one is enough to fail, and the first ones are the most useful. */
const MAX_TOLD = 5;

/**
 * Judges a history by the versions that the answers carry, in time near-linear in its operations. Each violation names
 * the invariant of docs/SPEC.md that it breaks.
 */
export function checkVersions(history: History): Violation[] {
  const found: Violation[] = [];
  for (const [key, operations] of operationsByKey(history)) {
    const chain = chainOf(key, operations, history);
    for (const rule of RULES) found.push(...rule(chain).slice(0, MAX_TOLD));
  }
  return found;
}
