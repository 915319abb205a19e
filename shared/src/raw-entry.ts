import type { CorruptEntry } from './entry.ts';
import { isJsonObject, parseJson } from './exact-json.ts';
import type { JsonValue, Row } from './json.ts';

/** What an entry of `format: raw` says: the row, or `null` where some program cached its absence. */
export interface RawEntry {
  state: 'value';
  row: Row | null;
}

/** Reads a raw entry's text: plain JSON of a row. Never throws: what is none is `corrupt`, with the reason. */
export function decodeRawEntry(text: string): RawEntry | CorruptEntry {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    return { state: 'corrupt', reason: 'no JSON' };
  }
  if (value !== null && !isJsonObject(value))
    return { state: 'corrupt', reason: 'no JSON of a row' };
  return { state: 'value', row: value };
}
