/** A coordinator as a caller sees it: an answer, or what the lack of one means. */
import { decodeEntry, isJsonObject, type JsonObject, type JsonValue } from '@lockstep/shared';
import { Redis } from 'ioredis';
import { type Answer as HttpAnswer, ApiClient, rowPath } from '../../support/api-client.ts';
import type { FaultResource } from '../cluster/tables.ts';
import type { Ending } from './ending.ts';

/** A caller gives up a call after this long and then knows nothing of it. */
const READ_TIMEOUT_MS = 1_500;
const WRITE_TIMEOUT_MS = 2_500;
const CACHE_TIMEOUT_MS = 300;
/** After a call without an answer the callers try others first for this long, as behind a load balancer. */
const AVOID_MS = 300;
const CONNECTIONS = 32;

/** 5xx answers that the contract knows; every other one is a defect. */
const KNOWN_FAILURES = [503, 504];

export interface Request {
  method: 'GET' | 'PUT' | 'PATCH' | 'DELETE';
  resource: FaultResource;
  id: number;
  query?: string;
  body?: object;
  headers?: Record<string, string>;
}

/** What a call that is not of one row was answered; status 0: nothing. */
export interface Told {
  status: number;
  body: JsonObject;
}

export class Endpoint {
  readonly name: string;
  readonly #api: ApiClient;
  readonly #onDefect: (defect: string) => void;
  #avoidUntilMs = 0;
  #inFlight = 0;

  constructor(name: string, url: string, onDefect: (defect: string) => void) {
    this.name = name;
    this.#api = new ApiClient(url, null, CONNECTIONS);
    this.#onDefect = onDefect;
  }

  get isAvoided(): boolean {
    return performance.now() < this.#avoidUntilMs;
  }

  /** Calls that have not been answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Never rejects. */
  async send(request: Request): Promise<Ending> {
    this.#inFlight += 1;
    try {
      return await this.#send(request);
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #send(request: Request): Promise<Ending> {
    const { method, resource, id, query = '', body, headers = {} } = request;
    const isRead = method === 'GET';
    try {
      const answer = await this.#api.call(method, `${rowPath(resource, id)}${query}`, {
        headers,
        timeoutMs: isRead ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS,
        ...(body === undefined ? {} : { body }),
      });
      return this.#judge(answer, isRead);
    } catch (error) {
      this.#avoidUntilMs = performance.now() + AVOID_MS;
      const code = errorCode(error);
      // A read that got no answer says nothing; a write that nobody took cannot have happened.
      if (isRead || code === 'ECONNREFUSED') return { e: 'fail', code };
      return { e: 'unknown', code };
    }
  }

  /** A call that is not of one row. Never rejects. */
  async tell(method: 'POST', path: string, body?: object): Promise<Told> {
    this.#inFlight += 1;
    try {
      const timeoutMs = WRITE_TIMEOUT_MS;
      const options = body === undefined ? { timeoutMs } : { body, timeoutMs };
      const { status, text } = await this.#api.call(method, path, options);
      if (status >= 500 && !KNOWN_FAILURES.includes(status))
        this.#onDefect(`${this.name} answered ${status} ${text.slice(0, 500)}`);
      const parsed = text === '' ? {} : (JSON.parse(text) as JsonValue);
      return { status, body: isJsonObject(parsed) ? parsed : {} };
    } catch {
      this.#avoidUntilMs = performance.now() + AVOID_MS;
      return { status: 0, body: {} };
    } finally {
      this.#inFlight -= 1;
    }
  }

  close(): Promise<void> {
    return this.#api.close();
  }

  #judge({ status, body, text }: HttpAnswer, isRead: boolean): Ending {
    const { version, cache, source, code = `HTTP_${status}` } = body;
    if (status < 300) {
      return {
        e: 'ok',
        answer: {
          value: numberOf(body.value?.['n']),
          ...(version === undefined ? {} : { version }),
          ...(cache === undefined ? {} : { cache }),
          ...(source === undefined ? {} : { source }),
        },
      };
    }
    if (isRead && code === 'NOT_FOUND') return { e: 'ok', answer: { value: null } };
    if (status >= 500 && !KNOWN_FAILURES.includes(status))
      this.#onDefect(`${this.name} answered ${status} ${text.slice(0, 500)}`);
    if (isRead || body.outcome === 'not_applied') return { e: 'fail', code };
    if (body.outcome !== 'unknown')
      this.#onDefect(`${this.name} refused a write without an outcome: ${text.slice(0, 500)}`);
    return { e: 'unknown', code };
  }
}

/** Reads entries straight from Redis, as services with their own Redis client do. */
export class CacheReader {
  readonly #redis: Redis;

  constructor(url: string) {
    this.#redis = new Redis(url, {
      commandTimeout: CACHE_TIMEOUT_MS,
      connectTimeout: CACHE_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 50,
    });
    this.#redis.on('error', () => undefined); // the command that fails tells
  }

  /** Never rejects. */
  async read(resource: FaultResource, id: number): Promise<Ending> {
    let text: string | null;
    try {
      text = await this.#redis.get(`${resource}:${id}`);
    } catch {
      return { e: 'fail', code: 'CACHE_AWAY' };
    }
    const entry = text === null ? null : decodeEntry(text);
    if (entry === null || entry.state !== 'value') return { e: 'fail', code: 'MISS' };
    const { version, row } = entry;
    return { e: 'ok', answer: { version, value: numberOf(row?.['n']), source: 'cache' } };
  }

  close(): void {
    this.#redis.disconnect();
  }
}

const numberOf = (value: JsonValue | undefined): number | null =>
  value === undefined || value === null ? null : Number(value);

function errorCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return error.code;
  return 'NO_ANSWER';
}
