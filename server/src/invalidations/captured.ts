/**
 * What the rows that a capture trigger noted mean for the cache. Pure.
 *
 * The trigger writes, for one resource: `{"table": …, "columns": [names], "values": [[texts of the first column], …]}`,
 * with rows as they were before the change and as they are after it. So nothing has to be read from the table, and what
 * hung on a row before is known too.
 */
import { isJsonObject, type JsonValue, type Row } from '@lockstep/shared';
import { z } from 'zod';
import { decodeLogged, neededColumns } from '../changelog/index.ts';
import {
  type Column,
  derivedKey,
  type DerivedResource,
  isCached,
  isDerived,
  type Key,
  keyFromRow,
  relatedCacheKeys,
  type Resource,
} from '../domain/index.ts';

const capturedChanges = z.object({
  table: z.string(),
  columns: z.array(z.string()),
  values: z.array(z.array(z.string().nullable())),
});
type CapturedChanges = z.infer<typeof capturedChanges>;

/** What captured rows make wrong. */
export interface CapturedKeys {
  /** The rows’ keys by the resource. */
  keys: Key[];
  /** Every cache key to invalidate, each once. */
  cacheKeys: string[];
  /** The number of different rows that were noted: two for a row that the change made another one. */
  rows: number;
}

/** How many rows were noted at most; for bounding a pass before anything is understood. */
export function capturedRows(changes: JsonValue): number {
  const values = isJsonObject(changes) ? changes['values'] : null;
  const [first] = Array.isArray(values) ? values : [];
  return Array.isArray(first) ? first.length : 1;
}

/** @returns null if the rows do not tell which keys they are: the trigger was made for other columns or an earlier key */
export function capturedKeys(resource: Resource, changes: JsonValue): CapturedKeys | null {
  const noted = parsed(changes);
  if (noted === null) return null;
  return isDerived(resource) ? ofDerived(resource, noted) : ofTable(resource, noted);
}

function ofTable(resource: Resource, noted: CapturedChanges): CapturedKeys | null {
  const columns = neededColumns(resource);
  const rows = noted.table === resource.table ? rowsOf(columns, noted) : null;
  if (rows === null) return null;
  const keys = new Map<string, Key>();
  const cacheKeys = new Set<string>();
  for (const row of rows) {
    const key = keyFromRow(resource, row);
    if (key !== null) keys.set(key.text, key);
    if (key !== null && isCached(resource)) cacheKeys.add(key.cacheKey);
    if (resource.invalidates.length === 0) continue;
    for (const related of relatedCacheKeys(resource.invalidates, { before: null, after: row }))
      cacheKeys.add(related);
  }
  return { keys: [...keys.values()], cacheKeys: [...cacheKeys], rows: rows.length };
}

/** One table can be named by several dependencies: the one with these columns is meant. */
function ofDerived(resource: DerivedResource, noted: CapturedChanges): CapturedKeys | null {
  const names = JSON.stringify(noted.columns);
  const dependency = resource.derivation.dependsOn.find(
    ({ table, columns }) =>
      table === noted.table && JSON.stringify(columns.map(({ name }) => name)) === names,
  );
  const rows = dependency === undefined ? null : rowsOf(dependency.columns, noted);
  if (dependency === undefined || rows === null) return null;
  const keys = new Map<string, Key>();
  for (const row of rows) {
    const key = derivedKey(resource, dependency, row);
    if (key !== null) keys.set(key.text, key);
  }
  const found = [...keys.values()];
  const cacheKeys = found.map(({ cacheKey }) => cacheKey);
  return { keys: found, cacheKeys, rows: rows.length };
}

/** Each different row once. Null if a column was not noted. */
function rowsOf(columns: readonly Column[], noted: CapturedChanges): Row[] | null {
  const lists = columns.map(({ name }) => noted.values[noted.columns.indexOf(name)]);
  const rows = new Map<string, Row>();
  for (let at = 0; at < (lists[0]?.length ?? 0); at += 1) {
    const texts = lists.map((list) => list?.[at]);
    if (texts.includes(undefined)) return null;
    const name = JSON.stringify(texts);
    if (rows.has(name)) continue;
    const logged = Object.fromEntries(columns.map((column, place) => [column.name, texts[place]]));
    rows.set(name, decodeLogged(columns, logged));
  }
  return rows.size === 0 ? null : [...rows.values()];
}

const parsed = (changes: JsonValue): CapturedChanges | null =>
  capturedChanges.safeParse(changes).data ?? null;
