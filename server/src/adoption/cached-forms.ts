/** What the values behind a pattern of keys are, and so what Lockstep can do with these keys. Pure. */
import { decodeEntry, isJsonObject, parseJson } from '@lockstep/shared';
import type { KnownTable } from './known-tables.ts';
import type { KeyPattern } from './key-patterns.ts';

/**
 * `entries`: Lockstep's own. `rows`: JSON of the row, with these columns. `other`: something that only its programs can
 * read and fill; `what` says what was found.
 */
export type CachedForm =
  { kind: 'entries' } | { kind: 'rows'; columns: string[] } | { kind: 'other'; what: string };

export interface FoundPattern extends KeyPattern {
  form: CachedForm;
}

/** @param texts of some of the pattern's keys; null where it could not be read */
export function formOf(
  { keys }: KeyPattern,
  texts: readonly (string | null)[],
  { columns, key }: Pick<KnownTable, 'columns' | 'key'>,
): CachedForm {
  const kinds = [...new Set(keys.map(({ kind }) => kind))];
  const strange = kinds.find((kind) => kind !== 'string');
  if (strange !== undefined) return { kind: 'other', what: `a ${strange}` };
  const read = texts.filter((text) => text !== null);
  if (read.length === 0) return { kind: 'other', what: 'not to be read' };
  if (read.every((text) => decodeEntry(text).state !== 'corrupt')) return { kind: 'entries' };
  const names = new Set<string>();
  for (const text of read) {
    const value = parsed(text);
    // A row that is known to be missing.
    if (value === null) continue;
    if (!isJsonObject(value)) return { kind: 'other', what: 'no JSON object' };
    for (const name of Object.keys(value)) names.add(name);
  }
  const known = columns.filter(({ name }) => names.has(name)).map(({ name }) => name);
  const strangers = [...names].filter((name) => !known.includes(name));
  if (strangers.length > 0) {
    return { kind: 'other', what: 'JSON with names that are no columns of the table' };
  }
  if (names.size === 0 || key.some(({ name }) => !names.has(name))) {
    return { kind: 'other', what: 'JSON without the columns of the key' };
  }
  return { kind: 'rows', columns: known };
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
