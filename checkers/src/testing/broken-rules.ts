import type { Policy } from '@lockstep/shared';
import { checkVersions } from '../versions/checker.ts';
import { recorded, type Steps } from './session.ts';

/** A history and the rules that it breaks. */
export type Case = [name: string, rules: string[], steps: Steps];

export const rulesBroken = (steps: Steps, policy: Policy = 'strict'): string[] => [
  ...new Set(checkVersions(recorded(steps, policy)).map(({ rule }) => rule)),
];
