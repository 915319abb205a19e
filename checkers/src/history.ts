/**
 * The history of a run: the clients' calls and their answers, with times from one monotonic clock.
 *
 * As text: JSON lines. The first is a header, `{"lockstepHistory":1,"resources":{"account":{"policy":"strict"}}}`; then
 * one line an event, in the order in which the clock saw them:
 *
 *   {"e":"initial","key":"account:1","value":{"balance":5},"version":3}        before the run; else absent, version 0
 *   {"e":"invoke","id":1,"client":1,"key":"account:1","op":"write","value":…,"via":"coordinator 1","atMs":0.25}
 *   {"e":"ok","id":1,"version":4,"value":…,"cache":"fresh","atMs":3.5}          it happened, and this was the answer
 *   {"e":"fail","id":1,"code":"FENCED","atMs":3.5}                              it did not happen, and never will
 *   {"e":"unknown","id":1,"code":"OUTCOME_UNKNOWN","atMs":3.5}                  it may happen at any later time, or never
 *
 * An operation without a completion is open to the end, which says the same as `unknown`. A client has one operation
 * at a time; after an unknown outcome it goes on under another client number, because its operation may still be under
 * way. (The shape follows Jepsen's histories: invoke, ok, fail, info.)
 *
 * Keys are `RESOURCE:KEY`. Values are what a register holds: `null` where the row is absent, a number, a text, or a flat
 * row of them; two values are the same where their JSON with sorted names is.
 */
import {
  type CacheOutcome,
  isJsonObject,
  type JsonValue,
  jsonText,
  type Policy,
  type ReadSource,
} from '@lockstep/shared';

/** What a client asks of one key. */
export type Call =
  /** Through a coordinator. `primary`: past the cache. */
  | { op: 'read'; primary?: boolean; minVersion?: number }
  /** Straight from Redis. What is no value there (a miss, lease, intent, tombstone) completes as `fail`, code `MISS`. */
  | { op: 'cache-read' }
  /** Inserts or replaces. */
  | { op: 'write'; value: JsonValue }
  /** Adds `by` to the number, or to the row's `field`. */
  | { op: 'increment'; by: number; field?: string }
  /** Replaces the value if the version is `ifMatch`, or the value is `expect`; both where the client knows both. */
  | { op: 'cas'; value: JsonValue; ifMatch?: number; expect?: JsonValue }
  | { op: 'delete' };

export type OpName = Call['op'];

/** The start of an operation. */
export type Invocation = Call & {
  client: number;
  /** `RESOURCE:KEY`. */
  key: string;
  /** By which way it was sent, for readers of a report: `coordinator 2`, `cache`. */
  via?: string;
  /** Operations of one key with the same one are repeats of each other: all of them together apply at most once. */
  idempotencyKey?: string;
};

export type AnswerSource = ReadSource | 'local';

/** What an operation that happened was answered. */
export interface Answer {
  /** The value read, or the value after the write (`null` after a delete, and where there is no row). */
  value?: JsonValue;
  version?: number;
  /** What a write says of the cache. */
  cache?: CacheOutcome;
  /** Where a read says that its answer came from; `local`: the memory of the caller's process. */
  source?: AnswerSource;
}

export type Completion =
  | ({ e: 'ok'; id: number; atMs: number } & Answer)
  | { e: 'fail' | 'unknown'; id: number; atMs: number; code?: string };

export interface InitialEvent {
  e: 'initial';
  key: string;
  value: JsonValue;
  version: number;
}

export type HistoryEvent =
  InitialEvent | (Invocation & { e: 'invoke'; id: number; atMs: number }) | Completion;

export interface ResourceFacts {
  policy: Policy;
}

export interface HistoryHeader {
  lockstepHistory: 1;
  resources: Record<string, ResourceFacts>;
}

/** What became of an operation; `open` where the history ends before its completion. */
export type Ending = 'ok' | 'fail' | 'unknown' | 'open';

/** One operation, from its invocation to its completion. */
export interface Operation {
  id: number;
  client: number;
  key: string;
  via: string;
  call: Call;
  idempotencyKey: string | null;
  ending: Ending;
  /** Empty unless `ending` is `ok`. */
  answer: Answer;
  /** Why it failed, or why its outcome is unknown. */
  code: string | null;
  /** Place of its invocation among all events; these places are the real-time order. */
  invoked: number;
  /** Place of its completion among all events; `Infinity` where `ending` is `unknown` or `open`. */
  returned: number;
  invokedAtMs: number;
  /** `Infinity` where it is open. */
  endedAtMs: number;
}

export interface History {
  header: HistoryHeader;
  /** By invocation. */
  operations: Operation[];
  /** What was there before the run. A key that is not here was absent, at version 0. */
  initial: Map<string, { value: JsonValue; version: number }>;
}

/** Why a text is not a history. `line` counts from 1. */
export type HistoryFault =
  | 'NOT_JSON'
  | 'NOT_A_HISTORY'
  | 'WRONG_EVENT'
  | 'UNKNOWN_RESOURCE'
  | 'DUPLICATE_ID'
  | 'UNKNOWN_ID'
  | 'CLIENT_BUSY'
  | 'OUT_OF_ORDER';

export class HistoryError extends Error {
  readonly code: HistoryFault;
  readonly line: number;

  constructor(code: HistoryFault, line: number, detail: string) {
    super(`line ${line}: ${detail} (${code})`);
    this.name = 'HistoryError';
    this.code = code;
    this.line = line;
  }
}

/** The resource of a history's key. */
export function resourceOf(key: string): string {
  const colon = key.indexOf(':');
  return colon < 0 ? key : key.slice(0, colon);
}

/** One text for each value, whatever the order of a row's names. */
export function canonical(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isJsonObject(value)) return jsonText(value);
  const fields = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`);
  return `{${fields.join(',')}}`;
}
