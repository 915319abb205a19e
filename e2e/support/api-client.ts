import type {
  CacheOutcome,
  ErrorCode,
  JsonValue,
  Outcome,
  Policy,
  Problem,
  ReadSource,
  Row,
} from '@lockstep/shared';
import { Pool } from 'undici';

/** One part of a key, or all parts of a composite key. */
export type KeyParts = string | number | readonly (string | number)[];

/** Everything that an answer's body can hold; which of it is there depends on the call. */
export interface AnswerBody extends Partial<Omit<Problem, 'outcome' | 'results'>> {
  resource?: string;
  key?: JsonValue;
  version?: number;
  value?: Row | null;
  outcome?: Outcome;
  cache?: CacheOutcome;
  policy?: Policy;
  fence?: number | null;
  waitMs?: number;
  source?: ReadSource;
  token?: string;
  code?: ErrorCode;
  results?: AnswerBody[];
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** The parsed body; empty where it is not JSON. */
  body: AnswerBody;
}

export interface CallOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is. */
  rawBody?: string | Buffer;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Bound on the whole call. Default 30 s. */
  timeoutMs?: number;
}

/** An HTTP client of one instance with one token (null: none), over kept-alive connections. */
export class ApiClient {
  readonly url: string;
  readonly #pool: Pool;
  readonly #authorization: Record<string, string>;

  constructor(url: string, token: string | null, connections = 32) {
    this.url = url;
    this.#pool = new Pool(url, { connections, pipelining: 1, keepAliveTimeout: 4_000 });
    this.#authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const json = options.body === undefined ? undefined : JSON.stringify(options.body);
    const timeoutMs = options.timeoutMs ?? 30_000;
    const response = await this.#pool.request({
      method: method,
      path,
      headers: {
        ...this.#authorization,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: options.rawBody ?? json ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const text = await response.body.text();
    const headers = Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
    );
    return {
      status: response.statusCode,
      headers,
      text,
      body: parseBody(headers['content-type'], text),
    };
  }

  get(resource: string, key: KeyParts, query = '', options: CallOptions = {}): Promise<Answer> {
    return this.call('GET', `${rowPath(resource, key)}${query}`, options);
  }

  put(
    resource: string,
    key: KeyParts,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.call('PUT', rowPath(resource, key), { body, headers });
  }

  patch(
    resource: string,
    key: KeyParts,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.call('PATCH', rowPath(resource, key), { body, headers });
  }

  delete(resource: string, key: KeyParts, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call('DELETE', rowPath(resource, key), { headers });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call('POST', path, { body, headers });
  }

  /** Drops every connection. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** The path of one row: parts percent-encoded each, joined by a bare comma. */
export function rowPath(resource: string, key: KeyParts): string {
  const parts = Array.isArray(key)
    ? (key as readonly (string | number)[])
    : [key as string | number];
  return `/v1/resources/${encodeURIComponent(resource)}/${parts.map(encodeURIComponent).join(',')}`;
}

function parseBody(type: string | undefined, text: string): AnswerBody {
  if (type === undefined || !/^application\/(problem\+)?json/.test(type)) return {};
  return JSON.parse(text) as AnswerBody;
}

/** One column of an answer's value as text: how a number is spelled (2 or "2") does not matter to most tests. */
export function cell(answer: Answer, column: string): string {
  const value = answer.body.value?.[column];
  return typeof value === 'string' ? value : JSON.stringify(value);
}
