/**
 * Values between a database's text and JSON. The same value in the database always gives the same JSON text, because
 * audits compare rows and a write answers the very row that a read answers later.
 */
import type { JsonValue, Row } from '@lockstep/shared';
import {
  emptyRow,
  fractionOfSecond,
  wholeJson,
  type Column,
  type ColumnType,
} from '../domain/index.ts';
import type { RawValue } from './driver.ts';
import type { DatabaseClient, SqlValue } from './sql.ts';

type Decode = (value: string) => JsonValue;

const sameText: Decode = (value) => value;

const DECODERS: Record<ColumnType, Decode> = {
  integer: wholeJson,
  bigint: wholeJson,
  decimal: sameText,
  float: (value) => {
    const number = Number(value);
    if (!Number.isFinite(number)) return value;
    return number === 0 ? 0 : number;
  },
  text: sameText,
  boolean: (value) => value === 't' || value === 'true' || value === '1' || value === '\u0001',
  timestamp: utcInstant,
  date: sameText,
  time: sameText,
  json: (value) => JSON.parse(value) as JsonValue,
  bytes: (value) => Buffer.from(value.slice(2), 'hex').toString('base64'), // PostgreSQL's `\x…`
  uuid: (value) => value.toLowerCase(),
  other: sameText,
};

/** One value as JSON. */
export function decodeValue(type: ColumnType, value: RawValue): JsonValue {
  if (value === null) return null;
  if (typeof value === 'string') return DECODERS[type](value);
  return type === 'bytes' ? value.toString('base64') : DECODERS[type](value.toString('utf8'));
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

/** A canonical JSON value (of `parseRow`) as the driver takes it. */
export function encodeValue(client: DatabaseClient, type: ColumnType, value: JsonValue): SqlValue {
  if (value === null) return null;
  switch (type) {
    case 'json':
      return JSON.stringify(value);
    case 'bytes':
      return Buffer.from(String(value), 'base64');
    case 'timestamp':
      return client === 'pg' ? String(value) : String(value).replace('T', ' ').replace(/Z$/, '');
    case 'boolean':
      return client === 'pg' ? String(value) : Number(value);
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}

/** `2026-01-02 03:04:05.678+00` as `2026-01-02T03:04:05.678Z`; what is no such time (`infinity`, BC) stays. */
function utcInstant(value: string): string {
  const [, date, time, fraction = ''] =
    /^(\d{4,}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:\+00)?$/.exec(value) ?? [];
  return date === undefined || time === undefined
    ? value
    : `${date}T${time}${fractionOfSecond(fraction)}Z`;
}
