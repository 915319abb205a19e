/**
 * The values of a cached row as a program's own access to the database would give them. Entries carry JSON (docs/types.md):
 * a `bigint` is a number or a text there, an instant a text, bytes are base64. What cannot be made exactly is not made:
 * the caller then reads the database.
 */
import { ExactNumber, isJsonObject, type JsonValue, type Row } from '@lockstep/shared/for-clients';

/**
 * What a column's values are in JavaScript.
 *   string   text; whole numbers as their digits (`bigint` as `pg` gives it), decimals as the database writes them
 *   number   numbers, decimals of up to 15 digits; the truth values of `tinyint(1)` as 0 and 1
 *   bigint   whole numbers
 *   boolean  truth values
 *   date     instants, as a `Date`; a day is its midnight in UTC
 *   day      days, as a `Date` of their midnight in the process's own zone, as `pg` and `mysql2` give them
 *   bytes    a `Buffer`
 *   json     documents that are no text
 */
export interface ColumnKinds {
  string: string;
  number: number;
  bigint: bigint;
  boolean: boolean;
  date: Date;
  day: Date;
  bytes: Buffer;
  json: unknown;
}
export type ColumnKind = keyof ColumnKinds;

const DAY = /^(\d{4})-(\d\d)-(\d\d)$/;
const INSTANT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?$/;
/** With no more digits than a number of JavaScript has. */
const NUMBER = /^(NaN|-?Infinity|-?(?=[\d.]{1,15}$)\d+(\.\d+)?)$/;
/** Undefined where the value cannot be made exactly. Null is null of every kind, and is not asked for. */
type Convert<T> = (value: JsonValue) => T | undefined;

const CONVERT: { [K in ColumnKind]: Convert<ColumnKinds[K]> } = {
  string: (value) => {
    if (typeof value === 'string') return value;
    return Number.isSafeInteger(value) ? String(value) : undefined;
  },
  number: (value) => {
    if (typeof value === 'number') return value;
    if (typeof value === 'boolean') return Number(value);
    return typeof value === 'string' && NUMBER.test(value) ? Number(value) : undefined;
  },
  bigint: (value) => {
    if (Number.isSafeInteger(value)) return BigInt(value as number);
    return typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : undefined;
  },
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  date: (value) => (typeof value === 'string' && INSTANT.test(value) ? new Date(value) : undefined),
  day: (value) => {
    const [, year, month, day] = (typeof value === 'string' && DAY.exec(value)) || [];
    return day === undefined ? undefined : localMidnight(Number(year), Number(month), Number(day));
  },
  bytes: (value) => (typeof value === 'string' ? Buffer.from(value, 'base64') : undefined),
  // A text as a whole document: some ORMs read it as JSON once more.
  json: (value) => (typeof value !== 'string' && isPlainJson(value) ? value : undefined),
};

/** A year below 100 is that year: the constructor of `Date` would take it for one of the last century. */
function localMidnight(year: number, month: number, day: number): Date {
  const date = new Date(2000, month - 1, day);
  date.setFullYear(year, month - 1, day);
  return date;
}

/** Not where a number has more digits than JavaScript's, or where it is JSON's own null. */
function isPlainJson(value: JsonValue): boolean {
  if (value instanceof ExactNumber) return false;
  if (Array.isArray(value)) return value.every(isPlainJson);
  if (!isJsonObject(value)) return true;
  return !('$json' in value) && Object.values(value).every(isPlainJson);
}

/** A row as the kinds of its columns say it. */
export type RowOfKinds<Columns extends Record<string, ColumnKind>> = {
  [Name in keyof Columns]: ColumnKinds[Columns[Name]] | null;
};

/** What is read of a row: by the name under which it is answered, its column and the kind of its values. */
export type ColumnMap = Readonly<Record<string, { column: string; kind: ColumnKind }>>;

/** The row with the values that these kinds say; undefined where one of them is not there or cannot be made exactly. */
export function rowOfKinds(columns: ColumnMap, row: Row): Record<string, unknown> | undefined {
  const made: Record<string, unknown> = {};
  for (const [name, { column, kind }] of Object.entries(columns)) {
    const value = Object.hasOwn(row, column) ? row[column] : undefined;
    if (value === undefined) return undefined;
    const converted = value === null ? null : CONVERT[kind](value);
    if (converted === undefined) return undefined;
    made[name] = converted;
  }
  return made;
}

/** Where rows are answered by the names of their columns. */
export const columnMapOf = (columns: Readonly<Record<string, ColumnKind>>): ColumnMap =>
  Object.fromEntries(Object.entries(columns).map(([column, kind]) => [column, { column, kind }]));
