/** What an audit found, and what a repair will do, in words. */
import type { DriftClass, Finding, RepairRule } from '@lockstep/shared';
import { durationText } from './format.ts';
import { keyText } from './keys.ts';

/** What each class of drift means. */
export const CLASS_MEANINGS: Record<DriftClass, string> = {
  stale: 'the cache answers an older row than the database has',
  orphan: 'the cache answers a row that the database does not have',
  'negative-stale': 'the cache says that there is no row, and there is one',
  corrupt: 'the cache holds text that is not an entry',
  'no-ttl': 'the entry never expires',
};

export const STATUS_TONES = {
  open: 'act',
  repaired: 'ok',
  failed: 'act',
  superseded: 'unknown',
} as const satisfies Record<Finding['status'], string>;

/** One sentence about a finding. */
export function describeFinding(finding: Finding): string {
  const age =
    finding.cache.ageMs === null ? '' : ` The entry was ${durationText(finding.cache.ageMs)} old.`;
  const ttl =
    finding.cache.ttlMs === null
      ? ''
      : ` Left alone, it would have gone on for ${durationText(finding.cache.ttlMs)}.`;
  const meaning = CLASS_MEANINGS[finding.class];
  return `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.${age}${ttl}`;
}

/** What a repair by `rule` will do to the finding's key, and what it can't do. */
export function consequenceOf(finding: Finding, rule: Exclude<RepairRule, 'report'>): string {
  const name = `${finding.resource}/${keyText(finding.key)}`;
  const safe =
    'Versions are compared first: if the key has been written since, nothing is changed and the finding is closed as superseded. The database is not touched.';
  return rule === 'refresh'
    ? `The cache entry of ${name} is replaced by the row that the database has now. ${safe}`
    : `The cache entry of ${name} is removed, and the next read fetches the row from the database. ${safe}`;
}
