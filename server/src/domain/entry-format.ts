/** What follows from the format of a resource's entries. Nothing else in the server compares a format with a string. */
import type { EntryFormat } from '@lockstep/shared';
import { isCached, type PolicyRules, rulesOf } from './policy-rules.ts';
import type { Resource } from './resource.ts';

interface FormatRules {
  /** Entries have a header, so that there can be leases, intents and tombstones. Without one, an invalidation deletes. */
  hasHeader: boolean;
  /** Lockstep understands the values: it answers reads with them, fills them and audits them. */
  isUnderstood: boolean;
}

const FORMAT_RULES: Readonly<Record<EntryFormat, FormatRules>> = {
  entry: { hasHeader: true, isUnderstood: true },
  raw: { hasHeader: false, isUnderstood: true },
  opaque: { hasHeader: false, isUnderstood: false },
};

type HasFormat = Pick<Resource, 'format'>;

export const hasHeader = ({ format }: HasFormat): boolean => FORMAT_RULES[format].hasHeader;

/** Whether values of the format can be compared with the database. */
export const isUnderstood = ({ format }: HasFormat): boolean => FORMAT_RULES[format].isUnderstood;

/** Whether reads through Lockstep are answered from the cache. Otherwise each one reads the database. */
export const isServedFromCache = (resource: Pick<Resource, 'format' | 'policy'>): boolean =>
  isCached(resource) && isUnderstood(resource);

/** Whether Lockstep only watches the resource's entries, and changes nothing in the cache (`rollout: shadow`). */
export const isInShadow = ({ rollout }: Pick<Resource, 'rollout'>): boolean => rollout === 'shadow';

/** What a receipt says about the own entry: see `PolicyRules.receipt`. */
export const receiptRules = (
  resource: Pick<Resource, 'policy' | 'rollout'>,
): PolicyRules['receipt'] =>
  isInShadow(resource) ? { untouched: 'none', invalidated: 'none' } : rulesOf(resource).receipt;
