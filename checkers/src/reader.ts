import { POLICIES, type JsonValue, type Policy } from '@lockstep/shared';
import {
  HistoryError,
  resourceOf,
  type Answer,
  type Call,
  type History,
  type HistoryFault,
  type HistoryHeader,
  type Operation,
} from './history.ts';

type Fields = Record<string, JsonValue | undefined>;

const CACHE_OUTCOMES = ['fresh', 'invalidated', 'pending', 'none'] as const;
const SOURCES = ['local', 'cache', 'primary', 'replica'] as const;

/** Reads a history line by line. */
export class HistoryReader {
  #line = 0;
  #event = 0;
  #lastAtMs = -Infinity;
  #header: HistoryHeader | null = null;
  readonly #operations: Operation[] = [];
  readonly #byId = new Map<number, Operation>();
  readonly #lastOfClient = new Map<number, Operation>();
  readonly #initial: History['initial'] = new Map();

  /** @throws HistoryError naming the line */
  push(text: string): void {
    this.#line += 1;
    if (text.trim() === '') return;
    const fields = this.#parse(text);
    if (this.#header === null) this.#header = this.#readHeader(fields);
    else this.#readEvent(fields);
  }

  /** @throws HistoryError where there was no header */
  end(): History {
    if (this.#header === null) throw this.#fault('NOT_A_HISTORY', 'there is no header line');
    return { header: this.#header, operations: this.#operations, initial: this.#initial };
  }

  #parse(text: string): Fields {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw this.#fault('NOT_JSON', error instanceof Error ? error.message : 'is not JSON');
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw this.#fault('WRONG_EVENT', 'must be a JSON object');
    }
    return parsed as Fields;
  }

  #readHeader(fields: Fields): HistoryHeader {
    const { resources } = fields;
    if (fields['lockstepHistory'] !== 1 || !isFields(resources)) {
      throw this.#fault('NOT_A_HISTORY', 'must be {"lockstepHistory":1,"resources":{…}}');
    }
    const header: HistoryHeader = { lockstepHistory: 1, resources: {} };
    for (const [name, facts] of Object.entries(resources)) {
      const policy = isFields(facts) ? facts['policy'] : undefined;
      if (!isOneOf<Policy>(POLICIES, policy)) {
        throw this.#fault('NOT_A_HISTORY', `resource ${name} has no known policy`);
      }
      header.resources[name] = { policy };
    }
    return header;
  }

  #readEvent(fields: Fields): void {
    switch (fields['e']) {
      case 'initial':
        this.#initial.set(this.#key(fields), {
          value: this.#value(fields, 'value'),
          version: this.#count(fields, 'version'),
        });
        return;
      case 'invoke':
        this.#invoke(fields);
        return;
      case 'ok':
      case 'fail':
      case 'unknown':
        this.#complete(fields, fields['e']);
        return;
      default:
        throw this.#fault('WRONG_EVENT', `e must be initial, invoke, ok, fail or unknown`);
    }
  }

  #invoke(fields: Fields): void {
    const atMs = this.#time(fields);
    const id = this.#count(fields, 'id');
    const client = this.#count(fields, 'client');
    if (this.#byId.has(id)) throw this.#fault('DUPLICATE_ID', `operation ${id} was invoked before`);
    const last = this.#lastOfClient.get(client);
    if (last !== undefined && last.returned === Infinity) {
      const why = last.ending === 'open' ? 'is still open' : 'has an unknown outcome';
      throw this.#fault('CLIENT_BUSY', `client ${client}: its operation ${last.id} ${why}`);
    }
    const operation: Operation = {
      id,
      client,
      key: this.#key(fields),
      via: this.#text(fields, 'via') ?? '',
      call: this.#call(fields),
      idempotencyKey: this.#text(fields, 'idempotencyKey'),
      ending: 'open',
      answer: {},
      code: null,
      invoked: this.#event++,
      returned: Infinity,
      invokedAtMs: atMs,
      endedAtMs: Infinity,
    };
    this.#operations.push(operation);
    this.#byId.set(id, operation);
    this.#lastOfClient.set(client, operation);
  }

  #complete(fields: Fields, ending: 'ok' | 'fail' | 'unknown'): void {
    const atMs = this.#time(fields);
    const id = this.#count(fields, 'id');
    const operation = this.#byId.get(id);
    if (operation === undefined) {
      throw this.#fault('UNKNOWN_ID', `operation ${id} was never invoked`);
    }
    if (operation.ending !== 'open') {
      throw this.#fault('DUPLICATE_ID', `operation ${id} was completed before`);
    }
    operation.ending = ending;
    operation.endedAtMs = atMs;
    const place = this.#event++;
    if (ending !== 'unknown') operation.returned = place;
    if (ending === 'ok') operation.answer = this.#answer(fields);
    else operation.code = this.#text(fields, 'code');
  }

  #call(fields: Fields): Call {
    switch (fields['op']) {
      case 'read': {
        const call: Call = { op: 'read' };
        if (fields['primary'] === true) call.primary = true;
        if (fields['minVersion'] !== undefined) call.minVersion = this.#count(fields, 'minVersion');
        return call;
      }
      case 'cache-read':
        return { op: 'cache-read' };
      case 'write':
        return { op: 'write', value: this.#value(fields, 'value') };
      case 'increment': {
        const field = this.#text(fields, 'field');
        const by = this.#integer(fields, 'by');
        return field === null ? { op: 'increment', by } : { op: 'increment', by, field };
      }
      case 'cas': {
        const call: Call = { op: 'cas', value: this.#value(fields, 'value') };
        if (fields['ifMatch'] !== undefined) call.ifMatch = this.#count(fields, 'ifMatch');
        if (fields['expect'] !== undefined) call.expect = fields['expect'];
        return call;
      }
      case 'delete':
        return { op: 'delete' };
      default:
        throw this.#fault(
          'WRONG_EVENT',
          'op must be read, cache-read, write, increment, cas or delete',
        );
    }
  }

  #answer(fields: Fields): Answer {
    const answer: Answer = {};
    const { value, version, cache, source } = fields;
    if (value !== undefined) answer.value = value;
    if (version !== undefined) answer.version = this.#count(fields, 'version');
    if (cache !== undefined) {
      if (!isOneOf(CACHE_OUTCOMES, cache)) throw this.#fault('WRONG_EVENT', 'cache is unknown');
      answer.cache = cache;
    }
    if (source !== undefined) {
      if (!isOneOf(SOURCES, source)) throw this.#fault('WRONG_EVENT', 'source is unknown');
      answer.source = source;
    }
    return answer;
  }

  #key(fields: Fields): string {
    const key = this.#text(fields, 'key');
    if (key === null) throw this.#fault('WRONG_EVENT', 'key must be there');
    if (this.#header?.resources[resourceOf(key)] === undefined) {
      throw this.#fault('UNKNOWN_RESOURCE', `the header has no resource for key ${key}`);
    }
    return key;
  }

  #time(fields: Fields): number {
    const { atMs } = fields;
    if (typeof atMs !== 'number') throw this.#fault('WRONG_EVENT', 'atMs must be a number');
    if (atMs < this.#lastAtMs) {
      throw this.#fault('OUT_OF_ORDER', `atMs ${atMs} is before ${this.#lastAtMs}`);
    }
    this.#lastAtMs = atMs;
    return atMs;
  }

  #value(fields: Fields, name: string): JsonValue {
    const value = fields[name];
    if (value === undefined) throw this.#fault('WRONG_EVENT', `${name} must be there`);
    return value;
  }

  #text(fields: Fields, name: string): string | null {
    const value = fields[name];
    if (value === undefined) return null;
    if (typeof value !== 'string') throw this.#fault('WRONG_EVENT', `${name} must be a text`);
    return value;
  }

  #integer(fields: Fields, name: string): number {
    const value = fields[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw this.#fault('WRONG_EVENT', `${name} must be a whole number`);
    }
    return value;
  }

  #count(fields: Fields, name: string): number {
    const value = this.#integer(fields, name);
    if (value < 0) throw this.#fault('WRONG_EVENT', `${name} must not be negative`);
    return value;
  }

  #fault(code: HistoryFault, detail: string): HistoryError {
    return new HistoryError(code, Math.max(this.#line, 1), detail);
  }
}

/** A history from its lines. @throws HistoryError naming the line */
export function parseHistory(lines: Iterable<string>): History {
  const reader = new HistoryReader();
  for (const line of lines) reader.push(line);
  return reader.end();
}

const isFields = (value: JsonValue | undefined): value is Record<string, JsonValue> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isOneOf = <T extends string>(known: readonly T[], value: unknown): value is T =>
  known.some((each) => each === value);
