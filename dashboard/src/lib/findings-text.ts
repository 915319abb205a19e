/** Describes what an audit has found, and what a repair will do. */
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

/** The same for a query's answers. */
const ANSWER_MEANINGS: Partial<Record<DriftClass, string>> = {
  stale: 'the cache holds another answer than the query gives',
  'negative-stale': 'the cache says that there is no answer, and a query always has one',
};

export const STATUS_TONES = {
  open: 'act',
  repaired: 'ok',
  failed: 'act',
  superseded: 'unknown',
} as const satisfies Record<Finding['status'], string>;

/** One sentence about a finding, for a table's row or a query's answer. */
export function describeFinding(finding: Finding, isQuery = false): string {
  const age =
    finding.cache.ageMs === null ? '' : ` The entry was ${durationText(finding.cache.ageMs)} old.`;
  const ttl =
    finding.cache.ttlMs === null
      ? ''
      : ` Without a repair it would have stayed for ${durationText(finding.cache.ttlMs)}.`;
  const meaning =
    (isQuery ? ANSWER_MEANINGS[finding.class] : undefined) ?? CLASS_MEANINGS[finding.class];
  return `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.${age}${ttl}`;
}

/** What a repair by `rule` will do to the finding's key, and what it cannot do. */
export function consequenceOf(
  finding: Finding,
  rule: Exclude<RepairRule, 'report'>,
  isQuery = false,
): string {
  const name = `${finding.resource}/${keyText(finding.key)}`;
  const safe = `${
    isQuery ? 'Entries are' : 'Versions are'
  } compared first: if the key has been written since, nothing is changed and the finding is closed as superseded. The database is not touched.`;
  const source = isQuery ? 'answer that the query gives' : 'row that the database has';
  return rule === 'refresh'
    ? `The cache entry of ${name} is replaced by the ${source} now. ${safe}`
    : `The cache entry of ${name} is removed, and the next read ${isQuery ? 'runs the query' : 'fetches the row from the database'}. ${safe}`;
}
