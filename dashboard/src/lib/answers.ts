/** The answer of a query, and two answers side by side. They are compared by jsondiffpatch, as rows are. */
import type { JsonValue, ResourceSummary, Row } from '@lockstep/shared';
import { create } from 'jsondiffpatch';

/** A row of either answer. */
export interface AnswerLine {
  row: Row;
  side: 'both' | 'database' | 'cache';
}

export type QueryResource = ResourceSummary & { query: string };

const compared = create({
  objectHash: (row) => JSON.stringify(row),
  arrays: { detectMove: false },
});

/** The resource, if it is a query. */
export function findQuery(
  resources: readonly ResourceSummary[],
  name: string,
): QueryResource | null {
  const isIt = (each: ResourceSummary): each is QueryResource =>
    each.resource === name && each.query !== undefined;
  return resources.find(isIt) ?? null;
}

/** The rows of an answer; null if the value is not an answer. */
export function rowsOf(value: JsonValue | undefined): Row[] | null {
  const rows = isRow(value) ? value['rows'] : null;
  return Array.isArray(rows) && rows.every(isRow) ? rows : null;
}

/** The rows of both answers in order. Where they differ, the database's come before the cache's. */
export function diffAnswers(database: readonly Row[], cache: readonly Row[]): AnswerLine[] {
  const delta = compared.diff(database, cache) ?? {};
  const lines: AnswerLine[] = [];
  let left = 0;
  let right = 0;
  while (left < database.length || right < cache.length) {
    const mine = database[left];
    const theirs = cache[right];
    if (mine !== undefined && (Object.hasOwn(delta, `_${left}`) || theirs === undefined)) {
      lines.push({ row: mine, side: 'database' });
      left += 1;
    } else if (theirs !== undefined && (Object.hasOwn(delta, right) || mine === undefined)) {
      lines.push({ row: theirs, side: 'cache' });
      right += 1;
    } else if (mine !== undefined) {
      lines.push({ row: mine, side: 'both' });
      left += 1;
      right += 1;
    }
  }
  return lines;
}

/** Every column of the rows, in the order of first appearance. */
export const columnsOf = (lines: readonly AnswerLine[]): string[] => [
  ...new Set(lines.flatMap(({ row }) => Object.keys(row))),
];

function isRow(value: JsonValue | undefined): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
