/**
 * What the text of an entry tells a reader (docs/read-protocol.md).
 *
 * Nearly every text that is read is a value of the resource's own, with the header as the coordinator's scripts write it:
 * its fields are found where they stand, without parsing JSON. Every other text goes through the codec of `shared`.
 */
import { decodeEntry, isJsonObject, type JsonValue, parseJson } from '@lockstep/shared/for-clients';

/** A value that may be answered. */
export interface CachedValue {
  version: number;
  /** Null: the cache says that there is no row. */
  row: CachedRow | null;
  /** Of the entity tag of a row that another program changed. */
  tag?: string | undefined;
  /** Log positions: what the value has reached, and what has it. */
  reached?: string | undefined;
  upTo?: string | undefined;
}

/** Why an entry is not answered. */
export type MissReason = 'absent' | 'intent' | 'lease' | 'tombstone' | 'foreign' | 'corrupt';

/** The JSON text of a row, parsed when it is first asked for. */
export interface CachedRow {
  text: string;
}

const VALUE = '{"s":"value","v":';
const FENCE = ',"f":';
const WRITTEN = ',"t":';
const OWNER = ',"o":"';
const MAX_DIGITS = 16;
const TAG = /^[0-9A-Za-z_-]{1,32}$/;

/**
 * The value in an entry's text if it is one of `owner`'s, else why it is none.
 * @param owner what the header says of whose entry it is
 */
export function readEntry(text: string | null, owner: string): CachedValue | MissReason {
  if (text === null) return 'absent';
  const version = plainVersion(text, owner);
  if (version < 0) return readByCodec(text, owner);
  const row = bodyOf(text, text.indexOf('\n') + 1);
  return row === undefined ? 'corrupt' : { version, row };
}

/** The version of a value whose header has exactly the usual fields, and this owner; -1: any other text. */
function plainVersion(text: string, owner: string): number {
  if (!text.startsWith(VALUE)) return -1;
  const versionEnd = countEnd(text, VALUE.length);
  if (versionEnd < 0 || !text.startsWith(FENCE, versionEnd)) return -1;
  const fenceEnd = countEnd(text, versionEnd + FENCE.length);
  if (fenceEnd < 0 || !text.startsWith(WRITTEN, fenceEnd)) return -1;
  const writtenEnd = countEnd(text, fenceEnd + WRITTEN.length);
  if (writtenEnd < 0 || !text.startsWith(OWNER, writtenEnd)) return -1;
  const ownerAt = writtenEnd + OWNER.length;
  if (!text.startsWith(owner, ownerAt)) return -1;
  return text.startsWith('"}\n', ownerAt + owner.length)
    ? Number(text.slice(VALUE.length, versionEnd))
    : -1;
}

/** Where the digits end that begin here; -1 where they are no count that surely may stand in a header. */
function countEnd(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at))
    at += 1;
  const digits = at - from;
  if (digits === 0 || digits > MAX_DIGITS) return -1;
  const first = text.charAt(from);
  // Those with most digits that begin with a 9 may be too great.
  return (digits > 1 && first === '0') || (digits === MAX_DIGITS && first === '9') ? -1 : at;
}

/**
 * Undefined where it cannot be a row's. That it begins and ends as an object is looked at at once; the rest is parsed
 * when the row is asked for.
 */
function bodyOf(text: string, at: number): CachedRow | null | undefined {
  if (text.charCodeAt(at) === 123 && text.charCodeAt(text.length - 1) === 125)
    return { text: text.slice(at) };
  return text.length === at + 4 && text.endsWith('null') ? null : undefined;
}

function readByCodec(text: string, owner: string): CachedValue | MissReason {
  const entry = decodeEntry(text);
  if (entry.state === 'corrupt') return 'corrupt';
  if (entry.owner !== owner) return entry.state === 'value' ? 'foreign' : entry.state;
  if (entry.state !== 'value') return entry.state;
  const row = bodyOf(text, text.indexOf('\n') + 1);
  if (row === undefined) return 'corrupt';
  const tag = entry.tag !== undefined && TAG.test(entry.tag) ? entry.tag : undefined;
  return { version: entry.version, row, tag, reached: entry.reached, upTo: entry.upTo };
}

/** The row of a JSON text; undefined where it is none. */
export function parseRow(text: string): { [column: string]: JsonValue } | undefined {
  try {
    const row = parseJson(text);
    return isJsonObject(row) ? row : undefined;
  } catch {
    return undefined;
  }
}
