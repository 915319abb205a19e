/** One resource for one table, and the keys that a cache has about its rows. Pure. */
import { placeholderOf } from '../domain/index.ts';
import type { FoundPattern } from './cached-forms.ts';
import type { KnownTable } from './known-tables.ts';
import type { ProposedResource } from './proposal.ts';

const MAX_INVALIDATES = 32;

/** Lives that people choose, in ms. */
const ROUND_MS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
  172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
].map((seconds) => seconds * 1000);

/** @param patterns what the cache has about the table, the most frequent first */
export function proposedResource(
  table: KnownTable,
  patterns: readonly FoundPattern[],
): ProposedResource {
  const { resource: name, relation, key, triggers } = table;
  const own = patterns.find(({ form }) => form.kind !== 'other') ?? null;
  const others = patterns.filter((each) => each !== own);
  const { columns, columnNotes } = columnsFor(table, own);
  return {
    ...{ name, table: relation.table, columns, columnNotes },
    key: key.map((column) => column.name),
    ...(own === null ? ownCacheKey(table, others) : sharedCacheKey(own)),
    ttlMs: own === null ? null : ttlOf(own),
    invalidates: others.slice(0, MAX_INVALIDATES).map(({ template }) => template),
    policyNote:
      triggers.length === 0
        ? null
        : `Lockstep is not told what the table’s triggers (${triggers.join(', ')}) change in other rows`,
  };
}

type CacheKeyPart = Pick<ProposedResource, 'cacheKey' | 'cacheKeyNote' | 'format'>;

function sharedCacheKey({ template, keys, form }: FoundPattern): CacheKeyPart {
  if (form.kind === 'entries') {
    const note = `as the cache has it: ${keys.length} sampled entries of Lockstep`;
    return { cacheKey: template, cacheKeyNote: note, format: 'entry' };
  }
  const note = `as the cache has it: ${keys.length} sampled key(s) with rows as JSON`;
  return { cacheKey: template, cacheKeyNote: note, format: 'raw' };
}

/** A template of Lockstep's own, which makes none of the keys that other programs read and fill. */
export function ownCacheKey(
  { resource, key }: Pick<KnownTable, 'resource' | 'key'>,
  others: readonly FoundPattern[],
): CacheKeyPart {
  const rest = key.map(({ name }) => placeholderOf(name)).join(':');
  const isUsed = (template: string): boolean => others.some((each) => each.template === template);
  const plain = `${resource}:${rest}`;
  const [first] = others;
  const what = first?.form.kind === 'other' ? first.form.what : '';
  const note =
    first === undefined
      ? 'no sampled key is about this table'
      : `keys of its own: what ${first.template} holds is ${what}, which Lockstep could not fill for its readers`;
  return {
    cacheKey: isUsed(plain) ? `row:${plain}` : plain,
    cacheKeyNote: note,
    format: 'entry',
  };
}

/** Without the columns that no resource can have; and as the cached rows have them. */
function columnsFor(
  { columns, key }: KnownTable,
  own: FoundPattern | null,
): Pick<ProposedResource, 'columns' | 'columnNotes'> {
  const usable = columns.filter(({ unusable }) => unusable === undefined);
  const columnNotes = columns.flatMap(({ name, sqlType, unusable }) =>
    unusable === undefined ? [] : [`${name} is left out: it is of type ${sqlType}, ${unusable}`],
  );
  const cached = own?.form.kind === 'rows' ? own.form.columns : null;
  const kept = cached === null ? usable : usable.filter(({ name }) => cached.includes(name));
  const missing = usable.filter((column) => !kept.includes(column));
  if (missing.length > 0) {
    columnNotes.push(
      `the cached rows do not have ${missing.map(({ name }) => name).join(', ')}; add what Lockstep is to write and answer too`,
    );
  }
  if (kept.length === columns.length) return { columns: null, columnNotes };
  const names = [...key, ...kept.filter((column) => !key.includes(column))];
  return { columns: names.map(({ name }) => name), columnNotes };
}

/** The longest life that is left of a sampled key, as people write lives; null where none has an expiry. */
export function ttlOf({ keys }: Pick<FoundPattern, 'keys'>): number | null {
  const longestMs = Math.max(...keys.map(({ ttlMs }) => ttlMs ?? 0));
  if (longestMs <= 0) return null;
  return ROUND_MS.find((roundMs) => roundMs >= longestMs) ?? ROUND_MS.at(-1) ?? null;
}
