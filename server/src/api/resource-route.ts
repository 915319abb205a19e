import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Key, LockstepError } from '../domain/index.ts';
import type { ReadOptions } from '../reads/port.ts';
import type { Answer, PassedAnswer } from './answer.ts';
import { textWithin, within, withoutValue } from './answer-text.ts';
import type { Call, EndpointFrame } from './endpoint.ts';
import { jsonOf, readBytes } from './json-body.ts';
import { LargeAnswers } from './large-answers.ts';
import type { Operations, WriteOp } from './operations.ts';
import { type Preconditions, preconditionsOf, tokenIn } from './preconditions.ts';
import { invalidField } from './problems.ts';
import { isForwardedCall, type RoutedCall, type RoutedCalls } from './routed-calls.ts';
import { parseToken, type Token } from './token.ts';

const PREFIX = '/v1/resources/';
const METHODS: Partial<Record<string, WriteOp | 'get'>> = {
  GET: 'get',
  HEAD: 'get',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
};
const NO_CONDITIONS: Preconditions = {};
const ALLOW = 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS';

export interface ResourceRouteParts {
  /** Longest body. */
  maxBytes: number;
  /** Longest answer: more could not be sent at all. */
  maxAnswerBytes: number;
  /** True once the instance is stopping. */
  leaving: () => boolean;
}

/**
 * `/v1/resources/{resource}/{key}`: the hot path. It works on the raw request line, for speed and because a key's
 * parts must still be percent-encoded when they are split, and runs before any other middleware.
 */
export class ResourceRoute {
  readonly #operations: Operations;
  readonly #frame: EndpointFrame;
  readonly #routed: RoutedCalls;
  readonly #parts: ResourceRouteParts;
  readonly #large: LargeAnswers;

  constructor(
    operations: Operations,
    frame: EndpointFrame,
    routed: RoutedCalls,
    parts: ResourceRouteParts,
  ) {
    this.#operations = operations;
    this.#frame = frame;
    this.#routed = routed;
    this.#parts = parts;
    this.#large = new LargeAnswers(parts.maxAnswerBytes);
  }

  /** Answers where the request is of this route, and says whether it is. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '';
    if (!url.startsWith(PREFIX)) return false;
    void this.#frame.serve(request, response, 'service', (_request, call) =>
      this.#answer(request, url, call, response),
    );
    return true;
  }

  async #answer(
    request: IncomingMessage,
    url: string,
    call: Call,
    response: ServerResponse,
  ): Promise<Answer | PassedAnswer> {
    const { path, query } = splitUrl(url);
    const [resource = '', key, ...rest] = path.slice(PREFIX.length).split('/');
    if (key === undefined || rest.length > 0) {
      throw new LockstepError(
        'NOT_FOUND',
        'The path must be /v1/resources/{resource}/{key}; a slash in a key is %2F.',
      );
    }
    const op = METHODS[request.method ?? ''];
    if (request.method === 'OPTIONS') return { status: 204, headers: { Allow: ALLOW } };
    if (op === undefined) return this.#frame.methodNotAllowed(ALLOW, call.requestId);
    const target = this.#operations.keyInPath(resource, key);
    return op === 'get'
      ? this.#read(request, call, target, query, response)
      : this.#write(request, call, target, op, response);
  }

  #read(
    request: IncomingMessage,
    call: Call,
    target: Key,
    query: string,
    response: ServerResponse,
  ): Promise<Answer | PassedAnswer> {
    this.#refuseForwarded(request);
    const body = (): Promise<null> => Promise.resolve(null);
    const routed: RoutedCall = { request, call, kind: 'read', conditions: NO_CONDITIONS, body };
    const plan = this.#routed.planKey(routed, target);
    const serve = async (): Promise<Answer> => {
      const { options, token } = readRequest(query);
      const seen = token ?? tokenIn(request.headers);
      const answer = await this.#operations.read(target, options, seen, call.caller);
      return this.#readText(notModified(request, answer), response);
    };
    return plan.to === null ? serve() : this.#routed.answer(plan, routed, serve);
  }

  #write(
    request: IncomingMessage,
    call: Call,
    target: Key,
    op: WriteOp,
    response: ServerResponse,
  ): Promise<Answer | PassedAnswer> {
    const conditions = preconditionsOf(request.headers);
    conditions.caller = call.caller;
    let read: Promise<Buffer> | null = null;
    const bytes = (): Promise<Buffer> => (read ??= readBytes(request, this.#parts.maxBytes));
    const body = (): Promise<Buffer | null> => (op === 'delete' ? Promise.resolve(null) : bytes());
    const routed: RoutedCall = { request, call, kind: 'write', conditions, body };
    const plan = this.#routed.planKey(routed, target);
    const serve = async (waitLeftMs?: number): Promise<Answer> => {
      const value = op === 'delete' ? undefined : jsonOf(request, await bytes());
      const here =
        waitLeftMs === undefined ? conditions : { ...conditions, waitTimeoutMs: waitLeftMs };
      return this.#writeText(await this.#operations.write(op, target, value, here), response);
    };
    return plan.to === null ? serve() : this.#routed.answer(plan, routed, serve);
  }

  /** @throws LockstepError `TOO_LARGE`, `RATE_LIMITED` */
  #readText(answer: Answer, response: ServerResponse): Answer {
    const { maxAnswerBytes } = this.#parts;
    const json = answerText(answer, maxAnswerBytes);
    if (json === undefined) return answer;
    if (json !== null && this.#large.admit(json, response)) {
      answer.json = json;
      return answer;
    }
    if (json !== null) {
      throw new LockstepError('RATE_LIMITED', 'Large answers wait for their readers.');
    }
    const text = `The row is longer than an answer may be: ${maxAnswerBytes} bytes (limits.unsentBytes).`;
    throw new LockstepError('TOO_LARGE', text);
  }

  /** What became of a write is always told. */
  #writeText(answer: Answer, response: ServerResponse): Answer {
    if (answer.body === undefined) return answer;
    const json = textWithin(answer.body, this.#parts.maxAnswerBytes);
    return json !== null && this.#large.admit(json, response)
      ? { ...answer, json }
      : { ...answer, body: withoutValue(answer.body) };
  }

  /** Whoever forwards to an instance that stops learns it also from a read, before its connections close. */
  #refuseForwarded(request: IncomingMessage): void {
    if (!this.#parts.leaving() || !isForwardedCall(request)) return;
    throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
  }
}

/** Path and query of a request's URL. */
export function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

function readRequest(query: string): { options: ReadOptions; token?: Token } {
  const options: ReadOptions = {};
  if (query === '') return { options };
  const parameters = new URLSearchParams(query);
  const consistency = parameters.get('consistency');
  if (consistency !== null) options.consistency = checkConsistency('consistency', consistency);
  const minVersion = parameters.get('minVersion');
  if (minVersion !== null) options.minVersion = checkVersion('minVersion', minVersion);
  const token = parameters.get('token');
  return token === null ? { options } : { options, token: parseToken('token', token) };
}

/** @throws LockstepError `INVALID` */
export function checkConsistency(path: string, value: unknown): 'primary' {
  if (value === 'primary') return value;
  throw invalidField(path, 'must be primary');
}

/** A version as text or number. @throws LockstepError `INVALID` */
export function checkVersion(path: string, value: unknown): number {
  const version = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 0) return version;
  throw invalidField(path, 'must be a whole number from 0');
}

/** The answer's text; null where it is longer than `maxBytes`, undefined where it has no body. */
function answerText({ body, json }: Answer, maxBytes: number): string | null | undefined {
  if (json !== undefined) return within(json, maxBytes);
  return body === undefined ? undefined : textWithin(body, maxBytes);
}

/** A reader that shows the version which it has already hears only that it still holds. */
function notModified(request: IncomingMessage, answer: Answer): Answer {
  const etag = answer.headers?.['ETag'];
  const known = request.headers['if-none-match'];
  if (etag === undefined || known === undefined) return answer;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known !== '*' && !tags.includes(etag)) return answer;
  const { body: _body, json: _json, ...others } = answer;
  return { ...others, status: 304 };
}
