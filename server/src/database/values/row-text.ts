/**
 * Values between a database's text and JSON. The same value in the database always gives the same JSON text, because
 * audits compare rows and a write answers the very row that a read answers later.
 */
import { isJsonObject, type JsonValue, jsonText, parseJson, type Row } from '@lockstep/shared';
import {
  elementType,
  emptyRow,
  floatJson,
  fractionOfSecond,
  wholeJson,
  type Column,
  type ColumnType,
  type LocalTime,
  type ScalarType,
  zoneOf,
} from '../../domain/index.ts';
import type { RawValue } from '../connections/driver.ts';
import { decodePgArray, encodePgArray } from './pg-array.ts';
import type { SqlValue } from '../statements/sql.ts';

type Decode = (value: string) => JsonValue;

const sameText: Decode = (value) => value;

const DECODERS: Record<ScalarType, Decode> = {
  integer: wholeJson,
  bigint: wholeJson,
  decimal: (value) => (value.startsWith('0') ? value.replace(/^0+(?=\d)/, '') : value), // zerofill
  real: singlePrecision,
  float: (value) => floatJson(Number(value)) ?? value,
  text: sameText,
  boolean: decodeBoolean,
  timestamp: utcInstant,
  date: sameText,
  time: sameText,
  json: decodeDocument,
  bytes: (value) => Buffer.from(value.slice(2), 'hex').toString('base64'), // PostgreSQL's `\x…`
  uuid: (value) => value.toLowerCase(),
  other: sameText,
};

/** One value as JSON. */
export function decodeValue(type: ColumnType, value: RawValue): JsonValue {
  if (value === null) return null;
  if (typeof value !== 'string') {
    return type === 'bytes' ? value.toString('base64') : decodeText(type, value.toString('utf8'));
  }
  return decodeText(type, value);
}

function decodeText(type: ColumnType, text: string): JsonValue {
  const decode = DECODERS[type as ScalarType] as Decode | undefined;
  if (decode !== undefined) return decode(text);
  const element = elementType(type);
  if (element === null) return zoneOf(type)?.toInstant(text) ?? text;
  return decodePgArray(text, (item) => decodeText(element, item), element === 'json');
}

/** A row from the values of `columns`, which stand in `values` from `at` on. */
export function decodeRow(
  columns: readonly Pick<Column, 'name' | 'type'>[],
  values: readonly RawValue[],
  at = 0,
): Row {
  const row = emptyRow();
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index];
    if (column !== undefined)
      row[column.name] = decodeValue(column.type, values[at + index] ?? null);
  }
  return row;
}

/** The values that each driver takes in a form of its own. */
export interface ValueDialect {
  /** An instant in ISO 8601. */
  time(iso: string): SqlValue;
  boolean(value: JsonValue): SqlValue;
  /** A part of a key. */
  keyPart(column: Column, part: string): SqlValue;
}

/** A canonical JSON value (of `parseRow`) as the driver takes it. */
export function encodeValue(
  dialect: ValueDialect,
  { type, sqlType }: Pick<Column, 'type' | 'sqlType'>,
  value: JsonValue,
): SqlValue {
  if (value === null) return null;
  const element = elementType(type);
  if (element !== null) {
    return Array.isArray(value)
      ? encodePgArray(value, (item) => elementText(element, item), element === 'json')
      : String(value);
  }
  switch (type) {
    case 'json':
      return documentText(value);
    case 'bytes':
      return Buffer.from(String(value), 'base64');
    case 'timestamp':
      return dialect.time(String(value));
    case 'boolean':
      return dialect.boolean(value);
    case 'integer':
      // MySQL takes a year of one or two digits for another one.
      return /^year\b/i.test(sqlType) ? String(value).padStart(4, '0') : String(value);
    default:
      return localText(type, String(value));
  }
}

/** A time in its column's zone, where that has one; any other text stays. */
export function localText(type: ColumnType, text: string): string {
  const zone = zoneOf(type);
  return zone === null ? text : (zone.toLocal(text) ?? plainTime(text));
}

function elementText(type: ScalarType | LocalTime, value: JsonValue): string {
  if (type === 'json') return documentText(value);
  return type === 'bytes' ? pgBytes(String(value)) : localText(type, String(value));
}

/** Bytes as PostgreSQL writes them: `\\x…`. */
export const pgBytes = (base64: string): string =>
  `\\x${Buffer.from(base64, 'base64').toString('hex')}`;

/** `2026-01-02 03:04:05.678` */
export const plainTime = (iso: string): string => iso.replace('T', ' ').replace(/Z$/, '');

/** MySQL's booleans are small whole numbers, and some tables hold others in them than 0 and 1. */
function decodeBoolean(value: string): JsonValue {
  if (value === 't' || value === 'true' || value === '1' || value === '\u0001') return true;
  if (value === 'f' || value === 'false' || value === '0' || value === '\0') return false;
  const whole = wholeJson(value);
  return whole === 0 || whole === 1 ? whole === 1 : whole;
}

/**
 * A number of single precision in the fewest digits that mean it. PostgreSQL writes these itself; MySQL is asked for
 * the number as a double, with all the digits of that.
 */
function singlePrecision(value: string): JsonValue {
  const json = floatJson(Number(value)) ?? value;
  if (typeof json !== 'number' || Math.fround(json) !== json) return json;
  for (let digits = 1; digits < 9; digits++) {
    const shorter = Number(json.toPrecision(digits));
    // The shortest text of the greatest number lies beyond it, where MySQL does not take it.
    if (Math.fround(shorter) === json && Math.abs(shorter) <= MAX_SINGLE) return shorter;
  }
  return json;
}

const MAX_SINGLE = 3.4028234663852886e38;

/** Stands for a JSON document that looks the same to a caller as SQL's NULL, or as one of these marks. */
const DOCUMENT = '$json';
/** Stands for the text of a document that is JSON to MariaDB and to nobody else, such as `1.`. */
const TEXT = '$text';

const isMarked = <Mark extends string>(
  value: JsonValue,
  mark: Mark,
): value is { [name in Mark]: JsonValue } =>
  isJsonObject(value) && Object.hasOwn(value, mark) && Object.keys(value).length === 1;

/** JSON's `null` as `{"$json": null}`: `null` is SQL's NULL. A document of the form of a mark is marked once more. */
function decodeDocument(text: string): JsonValue {
  let document: JsonValue;
  try {
    document = parseJson(text);
  } catch {
    return { [TEXT]: text };
  }
  const isAmbiguous = document === null || isMarked(document, DOCUMENT) || isMarked(document, TEXT);
  return isAmbiguous ? { [DOCUMENT]: document } : document;
}

function documentText(value: JsonValue): string {
  if (isMarked(value, TEXT) && typeof value[TEXT] === 'string') return value[TEXT];
  return jsonText(isMarked(value, DOCUMENT) ? value[DOCUMENT] : value);
}

/** `2026-01-02 03:04:05.678+00`, of whatever offset the session has, as `2026-01-02T03:04:05.678Z`; what is no such time (`infinity`, BC, MySQL's zero dates) stays. */
function utcInstant(value: string): string {
  const [, date, time, fraction = ''] =
    /^(\d{4,}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:\+00)?$/.exec(value) ?? [];
  if (date === undefined) return instantOfOffset(value);
  return time === undefined || date.includes('-00')
    ? value
    : `${date}T${time}${fractionOfSecond(fraction)}Z`;
}

/** With the offset of a session that is not of UTC: `2026-01-02 03:04:05.678+01`, `1890-01-01 00:00:00+00:53:28`. */
function instantOfOffset(value: string): string {
  const [, local = '', fraction, sign, hours = '', minutes = '00', seconds = '00', before = ''] =
    /^(\d{4,6}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(\.\d+)?([+-])(\d{2})(?::(\d{2}))?(?::(\d{2}))?( BC)?$/.exec(
      value,
    ) ?? [];
  if (sign === undefined) return value;
  const [date = '', clock = ''] = local.split(' ');
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  const at = new Date(0);
  at.setUTCFullYear(before === '' ? year : 1 - year, month - 1, day);
  at.setUTCHours(...(clock.split(':').map(Number) as [number, number, number]));
  const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  at.setTime(at.getTime() - (sign === '-' ? -offset : offset) * 1000);
  if (Number.isNaN(at.getTime())) return value;
  const utcYear = at.getUTCFullYear();
  const rest = at.toISOString().replace(/^[+-]?\d+/, '');
  const [monthAndDay = '', time = ''] = rest.replace(/\.\d+Z$/, '').split('T');
  const shown = String(utcYear > 0 ? utcYear : 1 - utcYear).padStart(4, '0');
  const text = `${shown}${monthAndDay} ${time}${fraction ?? ''}+00`;
  return utcYear > 0 ? utcInstant(text) : `${text} BC`;
}
