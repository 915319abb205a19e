import {
  ExactNumber,
  type FieldFault,
  isJsonObject,
  jsonText,
  type JsonValue,
  type Row,
} from '@lockstep/shared';
import type { Column, ColumnType, LocalTime, ScalarType } from './column.ts';
import { emptyRow } from './row.ts';
import { dateText, instantText, timeText } from './temporal.ts';
import { zoneOf } from './time-zone.ts';

/** The most digits of a decimal text. PostgreSQL's `numeric` allows more, which no caller needs. */
const MAX_DIGITS = 1000;

type Parsed = { value: JsonValue } | { fault: string };

/**
 * A row from a JSON body: every value is checked against its column and brought into its canonical form, in which a
 * read answers it (whole numbers beyond 2^53 and decimals are text, times are UTC). `null` is SQL's NULL in every
 * column. Columns that the database computes cannot be written: they are in `repeated`.
 */
export function parseRow(
  columns: readonly Column[],
  body: JsonValue | undefined,
): { row: Row; repeated?: Row } | { faults: FieldFault[] } {
  let repeated: Row | null = null;
  const fields = parseFields(columns, body, '', (column, value) => {
    const parsed = parseValue(column, value);
    if (!column.generated) return parsed;
    if ('fault' in parsed) return { fault: 'is computed by the database' };
    repeated ??= emptyRow();
    repeated[column.name] = parsed.value;
    return parsed;
  });
  if ('faults' in fields || repeated === null) return fields;
  for (const name of Object.keys(repeated)) Reflect.deleteProperty(fields.row, name);
  return { row: fields.row, repeated };
}

/**
 * The `$inc` of a PATCH: column name to exact decimal text. Adding to a column that is NULL leaves it NULL.
 */
export function parseIncrement(
  columns: readonly Column[],
  body: JsonValue | undefined,
): { increment: Record<string, string> } | { faults: FieldFault[] } {
  const parsed = parseFields(columns, body, '$inc.', parseStep);
  if ('faults' in parsed) return parsed;
  const entries = Object.entries(parsed.row).map(([name, step]) => [name, String(step)]);
  return { increment: Object.fromEntries(entries) as Record<string, string> };
}

function parseFields(
  columns: readonly Column[],
  body: JsonValue | undefined,
  prefix: string,
  parse: (column: Column, value: JsonValue) => Parsed,
): { row: Row } | { faults: FieldFault[] } {
  if (!isJsonObject(body)) {
    const path = prefix === '' ? '' : prefix.slice(0, -1);
    return { faults: [{ path, message: 'must be an object of columns' }] };
  }
  const row = emptyRow();
  const faults: FieldFault[] = [];
  for (const [name, value] of Object.entries(body)) {
    const column = columns.find((candidate) => candidate.name === name);
    const parsed =
      column === undefined ? { fault: 'is not a column of this resource' } : parse(column, value);
    if ('fault' in parsed) faults.push({ path: prefix + name, message: parsed.fault });
    else row[name] = parsed.value;
  }
  return faults.length > 0 ? { faults } : { row };
}

function parseStep(column: Column, step: JsonValue): Parsed {
  if (column.generated) return { fault: 'is computed by the database' };
  const whole = column.type === 'integer' || column.type === 'bigint';
  const floating = column.type === 'float' || column.type === 'real';
  if (!whole && column.type !== 'decimal' && !floating) {
    return { fault: `cannot be incremented: it is of type ${column.sqlType}` };
  }
  const text = whole ? wholeText(step) : decimalText(step);
  if (text === null) {
    return {
      fault: whole ? 'must be a whole number' : 'must be a number, or decimal digits as text',
    };
  }
  return { value: text };
}

/** A value from JSON in its canonical form, checked against its column; or what is wrong with it. */
export function parseValue(column: Column, value: JsonValue): Parsed {
  if (value === null) return { value };
  const element = elementType(column.type);
  const parsed =
    element === null
      ? parserOf(column.type as ScalarType | LocalTime)(value, column)
      : arrayValue(value, element, column);
  return typeof parsed === 'object' && parsed !== null && FAULT in parsed
    ? { fault: parsed[FAULT] }
    : { value: parsed };
}

/** Marks a fault, so that no JSON value can look like one. */
const FAULT = Symbol('fault');
interface Fault {
  [FAULT]: string;
}
const fault = (message: string): Fault => ({ [FAULT]: message });

const PARSERS: Record<ScalarType, (value: JsonValue, column: Column) => JsonValue | Fault> = {
  integer: wholeNumber,
  bigint: wholeNumber,
  decimal: (value) =>
    decimalText(value) ??
    (isNoNumber(value) ? value : fault('must be a number, or decimal digits as text')),
  real: (value) => floatJson(value) ?? fault('must be a number that a float can hold'),
  float: (value) => floatJson(value) ?? fault('must be a number that a double can hold'),
  text: (value, column) => {
    if (typeof value !== 'string') return fault('must be text');
    return textFault(value, column) ?? value;
  },
  boolean: booleanValue,
  timestamp: timeValue,
  date: (value, column) =>
    (typeof value === 'string' ? dateText(value, column) : null) ??
    fault('must be a date such as 2026-01-02'),
  time: (value) =>
    (typeof value === 'string' ? timeText(value) : null) ??
    fault('must be a time such as 03:04:05'),
  json: (value, { sqlType, baseType = sqlType }) =>
    baseType !== 'jsonb' || isStorableJson(value)
      ? value
      : fault('must hold well-formed text without NUL'),
  bytes: (value) =>
    typeof value === 'string' && BASE64.test(value) ? value : fault('must be base64 text'),
  uuid: (value) =>
    typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : fault('must be a UUID'),
  other: (value, column) => {
    if (column.members !== undefined) return memberOf(value, column.members);
    if (value instanceof ExactNumber) return value.text;
    if (typeof value === 'object') return fault('must be text, a number or true or false');
    if (typeof value === 'string') return textFault(value, column) ?? value;
    return value;
  },
};

const parserOf = (type: ScalarType | LocalTime): (typeof PARSERS)[ScalarType] =>
  (PARSERS as Partial<typeof PARSERS>)[type as ScalarType] ?? PARSERS.timestamp;

const NO_TIME = 'must be an ISO 8601 time with its offset, such as 2026-01-02T03:04:05Z';

/** An instant, or a local time that stands for no single instant. */
function timeValue(value: JsonValue, column: Column): JsonValue | Fault {
  if (typeof value !== 'string') return fault(NO_TIME);
  const zone = zoneOf(column.type);
  const text = instantText(value, column);
  if (zone === null) return text ?? fault(NO_TIME);
  const local = zone.toLocal(text ?? value);
  if (local !== null) return text ?? value;
  return text === null
    ? fault(`${NO_TIME}, or a local time of ${zone.name} that stands for two instants or none`)
    : fault(`stands for a local time of ${zone.name} that is another instant too: write that time`);
}

/** The elements' type of an array; null for any other type. */
export const elementType = (type: ColumnType): ScalarType | LocalTime | null =>
  type.endsWith('[]') ? (type.slice(0, -2) as ScalarType | LocalTime) : null;

/** The special values of PostgreSQL's `numeric` without a precision. */
const isNoNumber = (value: JsonValue): boolean =>
  value === 'NaN' || value === 'Infinity' || value === '-Infinity';

/** MySQL's booleans are small whole numbers. Values other than 0 and 1 are answered as numbers. */
function booleanValue(value: JsonValue, column: Column): JsonValue | Fault {
  if (typeof value === 'boolean') return value;
  if (column.range === null) return fault('must be true or false');
  const whole = wholeNumber(value, column);
  return whole === 0 || whole === 1 ? whole === 1 : whole;
}

/** Refuses texts that are not a member, because MySQL takes digits for the number of a member. */
function memberOf(value: JsonValue, members: readonly string[]): JsonValue | Fault {
  if (typeof value !== 'string') return fault('must be text');
  if (/^[\s\d+-]+$/.test(value) && !members.includes(value))
    return fault(`must be one of ${members.join(', ')}`);
  return value;
}

/**
 * An array of PostgreSQL: a JSON array, or nested arrays of equal lengths. An array whose first index is not 1 cannot
 * be written so; it is a text as the database writes it, `[0:1]={5,6}`.
 */
function arrayValue(
  value: JsonValue,
  element: ScalarType | LocalTime,
  column: Column,
): JsonValue | Fault {
  if (typeof value === 'string') return textFault(value, { ...column, maxLength: null }) ?? value;
  if (!Array.isArray(value)) return fault('must be an array');
  // A document may be an array itself: arrays of documents have one dimension.
  const depth = element === 'json' ? 1 : depthOf(value);
  return arrayOf(value, depth, element, column);
}

function depthOf(value: JsonValue): number {
  let depth = 0;
  for (let inner: JsonValue | undefined = value; Array.isArray(inner); inner = inner[0]) depth++;
  return depth;
}

function arrayOf(
  items: readonly JsonValue[],
  depth: number,
  element: ScalarType | LocalTime,
  column: Column,
): JsonValue[] | Fault {
  const parsed: JsonValue[] = [];
  let length: number | null = null;
  for (const item of items) {
    const isInner = depth > 1;
    if (isInner && (!Array.isArray(item) || item.length !== (length ?? item.length)))
      return fault('must have rows of one length');
    if (isInner && Array.isArray(item)) length = item.length;
    if (isInner && length === 0) return fault('must not hold empty arrays');
    const value =
      isInner && Array.isArray(item)
        ? arrayOf(item, depth - 1, element, column)
        : item === null
          ? null
          : parserOf(element)(item, column);
    if (typeof value === 'object' && value !== null && FAULT in value) return value;
    parsed.push(value);
  }
  return parsed;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DECIMAL = /^([+-]?)0*(\d+)(?:\.(\d+))?$/;

function wholeNumber(value: JsonValue, column: Column): JsonValue | Fault {
  const text = wholeText(value);
  if (text === null) return fault('must be a whole number');
  const number = BigInt(text);
  const { range } = column;
  if (range !== null && (number < range.min || number > range.max)) {
    return fault(`must be from ${range.min} to ${range.max}`);
  }
  return wholeJson(text);
}

/** The digits of a whole number. A JSON number may have a fraction of zeros, a text may not. */
function wholeText(value: JsonValue): string | null {
  const text = decimalText(value);
  const digits = value instanceof ExactNumber ? text?.replace(/\.0*$/, '') : text;
  return digits === undefined || digits === null || digits.includes('.') ? null : digits;
}

/** A whole number for JSON: a number if that is exact, else a text without leading zeros. */
export function wholeJson(digits: string): number | string {
  const number = Number(digits);
  if (!Number.isSafeInteger(number)) return digits.replace(/^(-?)0+(?=\d)/, '$1');
  return number === 0 ? 0 : number;
}

/** The negative zero of floating-point numbers, written so that no reader of JSON takes it for a whole number. */
const NEGATIVE_ZERO = new ExactNumber('-0.0');

/**
 * A floating-point number for JSON: a number, or the text `NaN`, `Infinity` or `-Infinity`. Null if a double cannot
 * hold the value.
 */
export function floatJson(value: JsonValue): JsonValue {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return value;
  if (typeof value !== 'number' && !(value instanceof ExactNumber)) return null;
  const number = Number(value);
  if (!Number.isFinite(number)) return null;
  if (number !== 0) return number;
  return Object.is(number, -0) ? NEGATIVE_ZERO : 0;
}

/** The digits of a JSON number with an exponent, `1.5e3` as `1500`; null if there would be too many. */
function withoutExponent(text: string): string | null {
  const [, sign = '', whole = '', fraction = '', exponent] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (exponent === undefined) return text;
  const shift = Number(exponent);
  if (Math.abs(shift) > MAX_DIGITS) return null;
  const digits = whole + fraction;
  const point = whole.length + shift;
  const before = digits.slice(0, Math.max(0, point)).padEnd(Math.max(0, point), '0');
  const after = '0'.repeat(Math.max(0, -point)) + digits.slice(Math.max(0, point));
  return `${sign}${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`;
}

/** The exact decimal digits of a JSON number or text; null if it is neither, or has too many. */
function decimalText(value: JsonValue): string | null {
  if (typeof value === 'number' || value instanceof ExactNumber) {
    if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
    // If `parseJson` made it a JavaScript number, that is exactly the number that the sender wrote.
    return decimalText(withoutExponent(String(value)));
  }
  if (typeof value !== 'string' || value.length > MAX_DIGITS) return null;
  const [, sign, whole, fraction] = DECIMAL.exec(value) ?? [];
  if (whole === undefined) return null;
  const digits = fraction === undefined ? whole : `${whole}.${fraction}`;
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

function textFault(value: string, { maxLength, maxBytes }: Column): Fault | null {
  if (value.includes('\0') || !value.isWellFormed())
    return fault('must be well-formed text without NUL');
  if (maxLength !== null && value.length > maxLength && [...value].length > maxLength) {
    return fault(`must be at most ${maxLength} characters`);
  }
  if (maxBytes !== undefined && Buffer.byteLength(value) > maxBytes)
    return fault(`must be at most ${maxBytes} bytes`);
  return null;
}

/** An escape of NUL or of a surrogate in a JSON text, unless its backslash is itself escaped. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i;

/** `jsonb` accepts neither NUL nor lone surrogates. */
const isStorableJson = (value: JsonValue): boolean => !UNSTORABLE.test(jsonText(value));
