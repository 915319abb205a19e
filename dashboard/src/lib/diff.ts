/**
 * Two rows side by side, with a line for each leaf. They are compared by jsondiffpatch, but not rendered by it, because
 * its formatter writes HTML from the data.
 */
import type { JsonValue, Row } from '@lockstep/shared';
import { diff, type Delta } from 'jsondiffpatch';

export interface DiffLine {
  /** The column, and the path within its value if that is an object. */
  path: string;
  /** JSON text of each side; null if that side has no such column. */
  database: string | null;
  cache: string | null;
  same: boolean;
}

/** Lines for both rows, in the database's order of columns; columns that only the cache has come last. */
export function diffRows(database: Row | null, cache: Row | null): DiffLine[] {
  return lines('', database ?? {}, cache ?? {}, diff(database ?? {}, cache ?? {}));
}

function lines(prefix: string, left: Row, right: Row, delta: Delta): DiffLine[] {
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return names.flatMap((name) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const mine = left[name];
    const theirs = right[name];
    const change = inner(delta, name);
    if (isRow(mine) && isRow(theirs) && change !== undefined) {
      return lines(path, mine, theirs, change);
    }
    return [{ path, database: text(mine), cache: text(theirs), same: change === undefined }];
  });
}

function inner(delta: Delta, name: string): Delta {
  if (delta === undefined || Array.isArray(delta) || !Object.hasOwn(delta, name)) return undefined;
  return (delta as Record<string, Delta>)[name];
}

function isRow(value: JsonValue | undefined): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: JsonValue | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
