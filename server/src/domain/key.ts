import { ExactNumber, type JsonValue, type Row } from '@lockstep/shared';
import { parseValue, wholeJson } from './column-values.ts';
import type { Column, ColumnType } from './column.ts';
import { invalidField, LockstepError } from './errors.ts';
import type { Key, Resource } from './resource.ts';
import { columnOf } from './row.ts';
import { canonicalTime } from './temporal.ts';
import { isLocalTime } from './time-zone.ts';

/** The longest canonical key, in bytes of UTF-8. An index of every supported database can hold it. */
export const MAX_KEY_BYTES = 2048;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const WHOLE_NUMBER = /^-?\d{1,30}$/;

/** The types in which each value has only one text, so that a key's text identifies its row. */
const KEY_TYPES: readonly ColumnType[] = [
  'integer',
  'bigint',
  'decimal',
  'text',
  'boolean',
  'timestamp',
  'date',
  'time',
  'bytes',
  'uuid',
];

/** The types that a key's column may have, for messages. */
export const KEY_TYPE_NAMES =
  'whole numbers, decimals, text, boolean, date, time and timestamp, bytes, uuid, enumerations';

/** Whether a column can be part of a key. */
export function canBeKey({ type, sqlType, baseType = sqlType, enumeration }: Column): boolean {
  if (type === 'other') return enumeration === true;
  if (isLocalTime(type)) return true;
  // Two different values may be the same moment, and would still be two keys.
  if (type === 'time' && baseType.includes('with time zone')) return false;
  return KEY_TYPES.includes(type);
}

/**
 * A key from its parts as a caller wrote them. Every spelling of one row gives the same key (`007` is `7`, a UUID is
 * lower case), because entries, locks and versions are found by the key's text.
 * @throws LockstepError `INVALID` naming each wrong part
 */
export function makeKey(resource: Resource, parts: readonly string[]): Key {
  const { keyColumns } = resource;
  if (parts.length !== keyColumns.length) {
    const names = keyColumns.map((column) => column.name).join(', ');
    throw invalidField(
      'key',
      `must have ${keyColumns.length} part(s): ${names}; it has ${parts.length}`,
    );
  }
  const canonical = keyColumns.map((column, index) => canonicalPart(column, parts[index] ?? ''));
  const key = keyOfParts(resource, canonical);
  if (Buffer.byteLength(key.text) > MAX_KEY_BYTES) {
    throw invalidField('key', `must be at most ${MAX_KEY_BYTES} bytes`);
  }
  return key;
}

/** A key from its parts in canonical text. */
export function keyOfParts(resource: Resource, parts: readonly string[]): Key {
  const text = parts.map(escapePart).join(',');
  const row: Row = Object.fromEntries(
    resource.keyColumns.map((column, index) => [column.name, parts[index] ?? '']),
  );
  const rows = rowsName(resource);
  const rowText =
    resource.shared === undefined ? text : sharedParts(resource, parts).map(escapePart).join(',');
  return {
    resource,
    parts,
    text,
    cacheKey: resource.cacheKey.render(row) ?? '',
    rows,
    rowText,
    lockKey: `lockstep:lock:${rows}:${rowText}`,
  };
}

/** The name under which the versions, fences and locks of the resource's rows are kept: its own, or a shared one. */
export const rowsName = ({ name, shared }: Resource): string => shared?.name ?? name;

/** A key in an answer: text for every column type, so that its type never depends on a number's size; composite: a list. */
export const keyAsJson = (key: Key): JsonValue =>
  key.parts.length === 1 ? (key.parts[0] ?? '') : [...key.parts];

/** The key's parts in the shared order. */
export const sharedParts = (
  { shared }: Pick<Resource, 'shared'>,
  parts: readonly string[],
): readonly string[] =>
  shared === undefined ? parts : shared.order.map((place) => parts[place] ?? '');

/** The key's parts in the resource's own order. Inverse of `sharedParts`. */
export function ownParts(
  { shared }: Pick<Resource, 'shared'>,
  parts: readonly string[],
): readonly string[] {
  if (shared === undefined) return parts;
  const own = [...parts];
  for (const [index, place] of shared.order.entries()) own[place] = parts[index] ?? '';
  return own;
}

/** A key from a JSON body: a string or number, or an array of them for a composite key. */
export const keyFromJson = (resource: Resource, value: JsonValue | undefined): Key =>
  makeKey(resource, partsFromJson(Array.isArray(value) ? value : [value]));

/** The parts of a key as a JSON array holds them. @throws LockstepError `INVALID` */
export function partsFromJson(values: readonly (JsonValue | undefined)[]): string[] {
  return values.map((part) => {
    const text = partText(part);
    if (text !== null) return text;
    throw invalidField('key', 'must be a string, a number or a boolean, or an array of them');
  });
}

/**
 * The first parts of a composite key in canonical text, from the parts as a caller wrote them.
 * @throws LockstepError `INVALID` naming the first wrong part
 */
export const canonicalParts = (
  { keyColumns }: Pick<Resource, 'keyColumns'>,
  parts: readonly string[],
): string[] =>
  keyColumns.slice(0, parts.length).map((column, at) => canonicalPart(column, parts[at] ?? ''));

/** One part of a key from a JSON body, in canonical text; or what is wrong with it. */
export function keyPartFromJson(
  column: Column,
  value: JsonValue | undefined,
): { part: string } | { fault: string } {
  const text = partText(value);
  if (text === null) return { fault: 'must be a string, a number or a boolean' };
  try {
    return { part: canonicalPart(column, text) };
  } catch (error) {
    const [fault] = error instanceof LockstepError ? (error.details.errors ?? []) : [];
    if (fault === undefined) throw error;
    return { fault: fault.message };
  }
}

function partText(part: JsonValue | undefined): string | null {
  const isText = typeof part === 'string' || typeof part === 'boolean';
  return isText || typeof part === 'number' || part instanceof ExactNumber ? String(part) : null;
}

/**
 * A key from a URL path segment that is still percent-encoded: parts joined by a bare `,`. An empty segment is the
 * empty text, if the key is one column that can hold it.
 * @throws LockstepError `NOT_FOUND` if the segment is empty and the key cannot be
 */
export function keyFromPath(resource: Resource, segment: string): Key {
  if (segment === '' && !canBeEmpty(resource.keyColumns)) {
    throw new LockstepError('NOT_FOUND', 'The path has no key: /v1/resources/{resource}/{key}.');
  }
  try {
    return makeKey(resource, segment.split(',').map(decodeURIComponent));
  } catch (error) {
    if (error instanceof URIError) throw invalidField('key', 'is not valid percent-encoding');
    throw error;
  }
}

/**
 * The key of a row from the database. Null if no call can name the row: a column of its key is NULL, or has a value
 * that cannot be in a key, such as an empty text. Such a row is never cached.
 */
export function keyFromRow(resource: Resource, row: Row): Key | null {
  const parts = resource.keyColumns.map((column) => columnOf(row, column.name));
  if (parts.some((part) => part === null || part === undefined || typeof part === 'object'))
    return null;
  try {
    return makeKey(resource, parts.map(String));
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'INVALID') return null;
    throw error;
  }
}

/** The key whose canonical text this is (as stored with findings). */
export function keyFromText(resource: Resource, text: string): Key {
  return makeKey(resource, text.split(',').map(unescapePart));
}

/** The key of the row whose text this is (as stored with versions and in the outbox). */
export function keyFromRowText(resource: Resource, rowText: string): Key {
  return makeKey(resource, ownParts(resource, rowText.split(',').map(unescapePart)));
}

/** The key that a cache key stands for; null if the resource's template does not make it, or it is not canonical. */
export function keyFromCacheKey(resource: Resource, cacheKey: string): Key | null {
  const values = resource.cacheKey.match(cacheKey);
  if (values === null) return null;
  try {
    const key = makeKey(
      resource,
      resource.keyColumns.map((column) => columnOf(values, column.name) ?? ''),
    );
    return key.cacheKey === cacheKey ? key : null;
  } catch (error) {
    if (error instanceof LockstepError) return null;
    throw error;
  }
}

function canonicalPart(column: Column, part: string): string {
  if (part.includes('\0') || !part.isWellFormed()) {
    throw invalidField(`key.${column.name}`, 'must be well-formed text without NUL');
  }
  switch (column.type) {
    case 'integer':
    case 'bigint':
      return wholeNumber(column, part);
    case 'uuid':
      if (!UUID.test(part)) throw invalidField(`key.${column.name}`, 'must be a UUID');
      return part.toLowerCase();
    case 'decimal':
    case 'boolean':
    case 'timestamp':
    case 'date':
    case 'time':
    case 'bytes':
      return canonicalValue(column, part);
    default:
      if (column.members !== undefined || isLocalTime(column.type))
        return canonicalValue(column, part);
      if (column.maxLength !== null && [...part].length > column.maxLength) {
        throw invalidField(`key.${column.name}`, `must be at most ${column.maxLength} characters`);
      }
      return part;
  }
}

/** The canonical text of the value that `part` spells. */
function canonicalValue(column: Column, part: string): string {
  const parsed = parseValue(column, column.type === 'boolean' ? booleanOf(part) : part);
  if ('fault' in parsed) throw invalidField(`key.${column.name}`, parsed.fault);
  const text = String(parsed.value);
  switch (column.type) {
    case 'decimal':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
    case 'time': {
      const time = canonicalTime(text);
      if (time === null)
        throw invalidField(`key.${column.name}`, 'must be a time without an offset');
      return time;
    }
    case 'bytes':
      // Base64 can write the bits after the last byte in several ways.
      return Buffer.from(text, 'base64').toString('base64');
    default:
      return text;
  }
}

function booleanOf(part: string): JsonValue {
  if (/^(true|t)$/i.test(part)) return true;
  if (/^(false|f)$/i.test(part)) return false;
  if (part === '1' || part === '0') return part === '1';
  return /^-?\d+$/.test(part) ? wholeJson(part) : part;
}

function wholeNumber(column: Column, part: string): string {
  if (!WHOLE_NUMBER.test(part)) throw invalidField(`key.${column.name}`, 'must be a whole number');
  const value = BigInt(part);
  if (column.range !== null && (value < column.range.min || value > column.range.max)) {
    throw invalidField(
      `key.${column.name}`,
      `must be from ${column.range.min} to ${column.range.max}`,
    );
  }
  return value.toString();
}

const canBeEmpty = ([column, ...others]: readonly Column[]): boolean =>
  others.length === 0 && (column?.type === 'text' || column?.type === 'bytes');

const escapePart = (part: string): string => part.replace(/[%,]/g, encodeURIComponent);
const unescapePart = (part: string): string => part.replace(/%25|%2C/g, decodeURIComponent);
