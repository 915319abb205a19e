/** Switches of policies in words for operators. */
import type { SwitchStatus } from '@lockstep/shared';
import type { Remark } from './remark.ts';

/** The fields of a resource as the configuration spells them need no explanation, but for these. */
const FIELDS: Record<string, string> = {
  cacheKey: 'cache key',
  key: 'key columns',
  invalidates: 'related keys',
};

const valueText = (value: string): string => (value === '' ? 'nothing' : value);

/** A query is too long to be told twice. */
function fieldText({ field, from, to }: SwitchStatus['changes'][number]): string {
  if (field === 'query') return 'another query';
  return `${FIELDS[field] ?? field} ${valueText(from)} becomes ${valueText(to)}`;
}

/** `from delete-after-write to strict`; then other fields: `format entry becomes raw`. */
export function changesText({ changes }: SwitchStatus): string {
  const policy = changes.find(({ field }) => field === 'policy');
  const others = changes.filter(({ field }) => field !== 'policy');
  const parts = [
    ...(policy === undefined ? [] : [`from ${policy.from} to ${policy.to}`]),
    ...others.map(fieldText),
  ];
  return parts.join(', ');
}

/** What to say in the verdict. */
export function switchRemarks(switches: readonly SwitchStatus[]): Remark[] {
  return switches.map((status): Remark => {
    const { resource, state } = status;
    const text = changesText(status);
    if (state === 'not-followed') {
      return {
        level: 'act',
        what: `Another coordinator has switched ${resource}${text === '' ? '' : `: ${text}`}`,
        safe: `The coordinator of this page has the old configuration: writes of ${resource} that come to it are refused and change nothing, and its reads go to the database. Give it the new configuration and reload it.`,
        href: '#/',
      };
    }
    return {
      level: 'watch',
      what: text === '' ? `${resource} is new` : `${resource} is being switched: ${text}`,
      safe: `Its writes go by the new configuration already. Its reads go to the database until nothing of before is left in the cache.`,
      href: '#/',
    };
  });
}
