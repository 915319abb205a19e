import { type DriftClass, ExactNumber, type JsonValue, type Row } from '@lockstep/shared';
import type { StoredEntry } from '../cache/port.ts';
import type { VersionedRow } from '../database/port.ts';
import { columnOf, type Resource } from '../domain/index.ts';

/** The result of comparing both sides; `being-written` where the entry is a write intent, which is no drift. */
export type Comparison = 'agrees' | 'being-written' | DriftClass;

/**
 * Compares what the cache holds for a key with its row.
 *
 * Only a value can be wrong: a lease, a tombstone and nothing at all send readers to the database. An entry of an
 * older version whose row is equal serves nothing old, so it agrees; one of a newer version than the database knows
 * (a database restored from a backup) does not.
 * @param ttlMs remaining life of the entry; null where it has no expiry
 * @param database null where the entry is no value, so that it was not read
 */
export function compare(
  resource: Resource,
  stored: StoredEntry | null,
  ttlMs: number | null | undefined,
  database: VersionedRow | null,
): Comparison {
  const entry = stored?.entry;
  if (entry === undefined) return 'agrees';
  if (entry.state === 'intent') return 'being-written';
  if (entry.state === 'corrupt') return 'corrupt';
  if (entry.state !== 'value' || database === null) return 'agrees';
  if (entry.row !== null && database.row === null) return 'orphan';
  if (entry.row === null && database.row !== null) return 'negative-stale';
  if (entry.version > database.version) return 'stale';
  if (!sameRow(resource, entry.row, database.row)) return 'stale';
  return ttlMs === null ? 'no-ttl' : 'agrees';
}

/** Whether two rows are equal in every configured column. */
function sameRow(resource: Resource, one: Row | null, other: Row | null): boolean {
  if (one === null || other === null) return one === other;
  return resource.columns.every(({ name }) => sameJson(columnOf(one, name), columnOf(other, name)));
}

/**
 * Whether two JSON values are deeply equal; the order of an object's names does not matter. It keeps its own list of what is left to
 * compare, so that a document of any depth can be audited.
 */
export function sameJson(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  const left: Pair[] = [[one, other]];
  for (let pair = left.pop(); pair !== undefined; pair = left.pop()) {
    if (!isSameButForMembers(pair[0], pair[1], left)) return false;
  }
  return true;
}

type Pair = [one: JsonValue | undefined, other: JsonValue | undefined];

/** Adds the members of two arrays or objects to what is `left` to compare. */
function isSameButForMembers(...[one, other, left]: [...Pair, left: Pair[]]): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object') return false;
  if (one === null || other === null || one === undefined || other === undefined) return false;
  if (one instanceof ExactNumber || other instanceof ExactNumber) {
    return one instanceof ExactNumber && other instanceof ExactNumber && one.text === other.text;
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    for (const [index, item] of one.entries()) left.push([item, other[index]]);
    return true;
  }
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  for (const name of names) {
    if (!Object.hasOwn(other, name)) return false;
    left.push([one[name], other[name]]);
  }
  return true;
}
