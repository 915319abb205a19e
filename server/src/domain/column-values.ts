import type { FieldFault, JsonValue, Row } from '@lockstep/shared';
import type { Column, ColumnType } from './column.ts';
import { emptyRow } from './row.ts';

/** Most digits of a decimal text; PostgreSQL's `numeric` has more, no caller needs them. */
const MAX_DIGITS = 1000;
/** A number of so many significant digits is exactly what its sender wrote. */
const EXACT_DIGITS = 15;

type Parsed = { value: JsonValue } | { fault: string };

/**
 * A row from a JSON body: every value checked against its column and in its canonical form, which is the form in
 * which a read answers it (whole numbers beyond 2^53 and decimals are text, times are UTC).
 * `null` is SQL's NULL in every column. Columns that the database computes cannot be written.
 */
export function parseRow(
  columns: readonly Column[],
  body: JsonValue | undefined,
): { row: Row } | { faults: FieldFault[] } {
  return parseFields(columns, body, '', (column, value) =>
    column.generated ? { fault: 'is computed by the database' } : parseValue(column, value),
  );
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
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
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
  if (!whole && column.type !== 'decimal' && column.type !== 'float') {
    return { fault: `cannot be incremented: it is of type ${column.sqlType}` };
  }
  const text = decimalText(step);
  if (text === null || (whole && text.includes('.'))) {
    return {
      fault: whole ? 'must be a whole number' : 'must be a number, or decimal digits as text',
    };
  }
  return { value: text };
}

function parseValue(column: Column, value: JsonValue): Parsed {
  if (value === null) return { value };
  const parsed = PARSERS[column.type](value, column);
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

const PARSERS: Record<ColumnType, (value: JsonValue, column: Column) => JsonValue | Fault> = {
  integer: wholeNumber,
  bigint: wholeNumber,
  decimal: (value) =>
    decimalText(value) ?? fault('must be a number of at most 15 digits, or decimal digits as text'),
  float: (value) => {
    if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value;
    const special = value === 'NaN' || value === 'Infinity' || value === '-Infinity';
    return special ? value : fault('must be a number');
  },
  text: (value, column) => {
    if (typeof value !== 'string') return fault('must be text');
    return textFault(value, column.maxLength) ?? value;
  },
  boolean: (value) => (typeof value === 'boolean' ? value : fault('must be true or false')),
  timestamp: (value) =>
    instant(value) ??
    fault('must be an ISO 8601 time with its offset, such as 2026-01-02T03:04:05Z'),
  date: (value) =>
    typeof value === 'string' && isDate(value) ? value : fault('must be a date such as 2026-01-02'),
  time: (value) =>
    typeof value === 'string' && TIME.test(value)
      ? value
      : fault('must be a time such as 03:04:05'),
  json: (value) =>
    isStorableJson(value) ? value : fault('must hold well-formed text without NUL'),
  bytes: (value) =>
    typeof value === 'string' && BASE64.test(value) ? value : fault('must be base64 text'),
  uuid: (value) =>
    typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : fault('must be a UUID'),
  other: (value) => {
    if (typeof value === 'object') return fault('must be text, a number or true or false');
    if (typeof value === 'string') return textFault(value, null) ?? value;
    return value;
  },
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const TIME = /^-?\d{1,3}:[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?$/;
const DECIMAL = /^([+-]?)0*(\d+)(?:\.(\d+))?$/;
const INSTANT =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d{2}:?\d{2})$/i;

function wholeNumber(value: JsonValue, column: Column): JsonValue | Fault {
  const text = decimalText(value);
  if (text === null || text.includes('.')) return fault('must be a whole number');
  const number = BigInt(text);
  const { range } = column;
  if (range !== null && (number < range.min || number > range.max)) {
    return fault(`must be from ${range.min} to ${range.max}`);
  }
  return wholeJson(text);
}

/** Digits of a whole number as JSON carries them: a number where that is exact, else text. */
export function wholeJson(digits: string): number | string {
  const number = Number(digits);
  if (!Number.isSafeInteger(number)) return digits;
  return number === 0 ? 0 : number;
}

/** Exact decimal digits of a JSON number or text, null where it is neither. */
function decimalText(value: JsonValue): string | null {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
    const text = String(value);
    return DECIMAL.test(text) && text.replace(/\D/g, '').replace(/^0+/, '').length <= EXACT_DIGITS
      ? text
      : null;
  }
  if (typeof value !== 'string' || value.length > MAX_DIGITS) return null;
  const [, sign, whole, fraction] = DECIMAL.exec(value) ?? [];
  if (whole === undefined) return null;
  const digits = fraction === undefined ? whole : `${whole}.${fraction}`;
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

function textFault(value: string, maxLength: number | null): Fault | null {
  if (value.includes('\0') || !value.isWellFormed())
    return fault('must be well-formed text without NUL');
  if (maxLength !== null && value.length > maxLength && [...value].length > maxLength) {
    return fault(`must be at most ${maxLength} characters`);
  }
  return null;
}

function isStorableJson(value: JsonValue): boolean {
  const text = JSON.stringify(value);
  return !text.includes('\\u0000') && !/\\ud[89a-f]/i.test(text);
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text.startsWith('0000')) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

function instant(value: JsonValue): string | null {
  if (typeof value !== 'string') return null;
  const [, date = '', hour = '', minute = '', second = '00', fraction = '', offset = ''] =
    INSTANT.exec(value) ?? [];
  if (!isDate(date) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const at = new Date(`${date}T${hour}:${minute}:${second}Z`);
  at.setTime(at.getTime() - offsetMs(offset));
  const utc = at.toISOString();
  return utc.startsWith('+') || utc.startsWith('-')
    ? null
    : `${utc.slice(0, 19)}${fractionOfSecond(fraction)}Z`;
}

function offsetMs(offset: string): number {
  if (offset.toUpperCase() === 'Z') return 0;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(-2));
  return (offset.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

/** Milliseconds, and microseconds where there are any. */
export function fractionOfSecond(digits: string): string {
  const micros = digits.padEnd(6, '0').slice(0, 6);
  return `.${micros.endsWith('000') ? micros.slice(0, 3) : micros}`;
}
