/**
 * The entry codec: what the cache holds for a key.
 *
 * States of an entry (docs/SPEC.md, section "Entry"):
 *   absent     nothing is cached
 *   value      the row at a version; a body of `null` says that the row does not exist (a negative entry)
 *   lease      a reader is on its way to the database; only the holder of this very lease may fill
 *   intent     a strict write is on its way to the database; readers go to the database. Never expires
 *   tombstone  an invalidation; a fill must have reached its version, and its log position where it says one
 *
 * Log positions stand in entries only where reads go to replicas (docs/decisions/0016-replicas.md). They are opaque
 * here: `LogPosition` of the server, or `*` for one that is not known.
 *
 * Text form: one JSON header line, `\n`, the JSON body.
 */
import { isJsonObject, jsonText, parseJson } from './exact-json.ts';
import type { JsonValue, Row } from './json.ts';

interface Header {
  /** Version of the row that the entry stands for, or the least version that a fill must have reached. */
  version: number;
  /** Highest fence that the entry has seen. */
  fence: number;
  /** When the entry was written: milliseconds of the cache server's own clock. */
  writtenAtMs: number;
  /** Whose entry it is: the cluster, `/` and the resource; absent: nobody says. */
  owner?: string;
}

export type ValueEntry = Header & {
  state: 'value';
  row: Row | null;
  /** Of the row's entity tag `"VERSION-TAG"`; absent: it is the plain version. */
  tag?: string;
  /** What was read had everything up to this log position. */
  reached?: string;
  /** Everything that has reached this log position has what was read, or something newer. */
  upTo?: string;
  /**
   * Of a computed resource: its last `graceMs` in the cache the value is past its TTL, and is answered only if a loader
   * fails.
   */
  graceMs?: number;
  /** Of a computed resource: the read lease under which the value is loaded again. It counts until then, in ms of the cache server's clock. */
  refresh?: { leaseId: string; untilMs: number };
};
export type LeaseEntry = Header & {
  state: 'lease';
  leaseId: string;
  /** As in the tombstone that it replaced; absent: there was nothing. */
  position?: string;
};
export type IntentEntry = Header & {
  state: 'intent';
  /** Identifies the holder whose intent it is: fences alone may repeat where the cache has lost an entry. */
  intentId: string;
  /** An invalidation met this intent; its owner must publish a tombstone. */
  marked: boolean;
};
export type TombstoneEntry = Header & {
  state: 'tombstone';
  /** The log position that a fill must have reached; absent: only the primary fills. */
  position?: string;
};
export type Entry = ValueEntry | LeaseEntry | IntentEntry | TombstoneEntry;

/** Text in the cache that is not an entry. */
export interface CorruptEntry {
  state: 'corrupt';
  reason: string;
}

interface WireHeader {
  s: Entry['state'];
  v: number;
  f: number;
  t: number;
  /** Owner. */
  o?: string;
  /** Lease id. */
  l?: string;
  /** Of a value: until when its lease counts. */
  r?: number;
  /** Of a value: for how long of its life it is past its TTL. */
  g?: number;
  /** Intent id. */
  i?: string;
  /** 1 where an invalidation has marked an intent. */
  m?: 1;
  /** Log position: of a value what it has reached, of a lease and a tombstone what a fill must have reached. */
  p?: string;
  /** Of a value: the log position that has it. */
  u?: string;
  /** Of a value: the tag of a row that another program changed. */
  e?: string;
}

/** Fences and versions are below it, so that they can still be counted up exactly. */
const MAX_COUNT = 2 ** 53 - 2 ** 20;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < MAX_COUNT;

/** Absent, or text that can stand in a header as it is. */
const isName = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && value.length <= 1024 && !UNSAFE.test(value));
// eslint-disable-next-line no-control-regex -- those are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f"\\]/;

/** Reads an entry's text. Never throws: what is not an entry is `corrupt`, with the reason. */
export function decodeEntry(text: string): Entry | CorruptEntry {
  const newline = text.indexOf('\n');
  if (newline < 0) return { state: 'corrupt', reason: 'no header line' };
  const header = parse(text.slice(0, newline), JSON.parse);
  if (!isJsonObject(header) || !isCount(header.v) || !isCount(header.f) || !isCount(header.t)) {
    return { state: 'corrupt', reason: 'unreadable header' };
  }
  if (!isName(header.o) || !isName(header.p) || !isName(header.i) || !isName(header.l))
    return { state: 'corrupt', reason: 'unreadable name in the header' };
  const base: Header = { version: header.v, fence: header.f, writtenAtMs: header.t };
  if (header.o !== undefined) base.owner = header.o;
  switch (header.s) {
    case 'value': {
      const row = parse(text.slice(newline + 1), parseJson);
      if (row !== null && !isJsonObject(row))
        return { state: 'corrupt', reason: 'unreadable body' };
      return valueEntry(base, row, header);
    }
    case 'lease':
      if (typeof header.l !== 'string') return { state: 'corrupt', reason: 'lease without id' };
      return { state: 'lease', ...base, leaseId: header.l, ...position(header) };
    case 'intent':
      if (header.i !== undefined && typeof header.i !== 'string')
        return { state: 'corrupt', reason: 'unreadable intent id' };
      // Without an id it is nobody's: a recovery replaces it.
      return { state: 'intent', ...base, intentId: header.i ?? '', marked: header.m === 1 };
    case 'tombstone':
      return { state: 'tombstone', ...base, ...position(header) };
    default:
      return { state: 'corrupt', reason: 'unknown state' };
  }
}

/** The JSON text of the row in a value's text. */
export const bodyOfEntry = (text: string): string => text.slice(text.indexOf('\n') + 1);

/** Writes an entry's text, the same bytes that the cache scripts write. */
export function encodeEntry(entry: Entry): string {
  const header: WireHeader = {
    s: entry.state,
    v: entry.version,
    f: entry.fence,
    t: entry.writtenAtMs,
    ...(entry.owner === undefined ? {} : { o: entry.owner }),
  };
  if (entry.state === 'lease') header.l = entry.leaseId;
  if (entry.state === 'intent') {
    if (entry.intentId !== '') header.i = entry.intentId;
    if (entry.marked) header.m = 1;
  }
  if (entry.state === 'value') {
    if (entry.reached !== undefined) header.p = entry.reached;
    if (entry.upTo !== undefined) header.u = entry.upTo;
    if (entry.tag !== undefined) header.e = entry.tag;
    if (entry.graceMs !== undefined) header.g = entry.graceMs;
    if (entry.refresh !== undefined) {
      header.l = entry.refresh.leaseId;
      header.r = entry.refresh.untilMs;
    }
  } else if (entry.state !== 'intent' && entry.position !== undefined) header.p = entry.position;
  const body: JsonValue = entry.state === 'value' ? entry.row : null;
  return `${JSON.stringify(header)}\n${jsonText(body)}`;
}

function position({ p }: Record<string, unknown>): { position?: string } {
  return typeof p === 'string' ? { position: p } : {};
}

function valueEntry(base: Header, row: Row | null, header: Record<string, unknown>): ValueEntry {
  const entry: ValueEntry = { state: 'value', ...base, row };
  const { p, u, e, g, l, r } = header;
  if (typeof e === 'string') entry.tag = e;
  if (typeof p === 'string') entry.reached = p;
  if (typeof u === 'string') entry.upTo = u;
  if (isCount(g) && g > 0) entry.graceMs = g;
  if (typeof l === 'string' && isCount(r)) entry.refresh = { leaseId: l, untilMs: r };
  return entry;
}

function parse(text: string, by: (text: string) => unknown): unknown {
  try {
    return by(text);
  } catch {
    return undefined;
  }
}
