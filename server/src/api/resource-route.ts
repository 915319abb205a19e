import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Key, LockstepError } from '../domain/index.ts';
import type { ReadOptions } from '../reads/port.ts';
import type { Answer, PassedAnswer } from './answer.ts';
import { LargeAnswers, textWithin, within, withoutValue } from './bounded-answers.ts';
import { type PathEndpoints, splitUrl } from './endpoint.ts';
import type { Call, EndpointFrame } from './endpoint-frame.ts';
import { jsonOf, readBytes } from './json-body.ts';
import type { Operations, WriteOp } from './operations.ts';
import {
  checkConsistency,
  checkVersion,
  type Preconditions,
  preconditionsOf,
  tokenIn,
} from './preconditions.ts';
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

export interface ResourceRouteOptions {
  /** What the table of endpoints says of this path. */
  endpoints: PathEndpoints;
  /** Longest body. */
  maxBytes: number;
  /** Longest answer: more could not be sent at all. */
  maxAnswerBytes: number;
  /** True once the instance is stopping. */
  leaving: () => boolean;
}

/**
 * `/v1/resources/{resource}/{key}`: the hot path, declared in `endpoints.ts`. It works on the raw request line, for speed
 * and because a key's parts must still be percent-encoded when they are split, and runs before any middleware.
 */
export class ResourceRoute {
  readonly #operations: Operations;
  readonly #frame: EndpointFrame;
  readonly #routed: RoutedCalls;
  readonly #options: ResourceRouteOptions;
  readonly #large: LargeAnswers;
  readonly #allow: string;

  constructor(
    operations: Operations,
    frame: EndpointFrame,
    routed: RoutedCalls,
    options: ResourceRouteOptions,
  ) {
    this.#operations = operations;
    this.#frame = frame;
    this.#routed = routed;
    this.#options = options;
    this.#large = new LargeAnswers(options.maxAnswerBytes);
    this.#allow = `${options.endpoints.allow}, OPTIONS`;
  }

  /** Answers a request of this route; false for every other request. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '';
    if (!namesKey(url)) return false;
    const { needs, leastNeeds } = this.#options.endpoints;
    const needed = needs.get(request.method ?? '') ?? leastNeeds;
    void this.#frame.serve(request, response, needed, (_request, call) =>
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
    if (request.method === 'OPTIONS') return { status: 204, headers: { Allow: this.#allow } };
    if (op === undefined) return this.#frame.methodNotAllowed(this.#allow, call.requestId);
    const target = this.#operations.keyInPath(resource, key);
    call.access.assertKey(op === 'get' ? 'read' : 'write', target);
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
    const bytes = (): Promise<Buffer> => (read ??= readBytes(request, this.#options.maxBytes));
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
    const { maxAnswerBytes } = this.#options;
    const text = answerText(answer, maxAnswerBytes);
    if (text === undefined) return answer;
    if (text !== null && this.#large.admit(text, response)) {
      answer.text = text;
      return answer;
    }
    if (text !== null) {
      throw new LockstepError('RATE_LIMITED', 'Too many large answers wait for their readers.');
    }
    throw new LockstepError(
      'TOO_LARGE',
      `The row is longer than an answer may be: ${maxAnswerBytes} bytes (limits.unsentBytes).`,
    );
  }

  /** Over the bound, what became of the write is answered without the row. */
  #writeText(answer: Answer, response: ServerResponse): Answer {
    if (answer.body === undefined) return answer;
    const text = textWithin(answer.body, this.#options.maxAnswerBytes);
    return text !== null && this.#large.admit(text, response)
      ? { ...answer, text }
      : { ...answer, body: withoutValue(answer.body) };
  }

  /** A read shows the instance that forwarded it that this one is stopping, before connections close. */
  #refuseForwarded(request: IncomingMessage): void {
    if (!this.#options.leaving() || !isForwardedCall(request)) return;
    throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
  }
}

/** Whether the path goes beyond the name of a resource. */
function namesKey(url: string): boolean {
  if (!url.startsWith(PREFIX)) return false;
  const slash = url.indexOf('/', PREFIX.length);
  const query = url.indexOf('?', PREFIX.length);
  return slash >= 0 && (query < 0 || slash < query);
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

/** The answer's text; null where it is longer than `maxBytes`, undefined where it has no body. */
function answerText({ body, text }: Answer, maxBytes: number): string | null | undefined {
  if (text !== undefined) return within(text, maxBytes);
  return body === undefined ? undefined : textWithin(body, maxBytes);
}

/** A reader that names the version that it has gets 304 if that version is still current. */
function notModified(request: IncomingMessage, answer: Answer): Answer {
  const etag = answer.headers?.['ETag'];
  const known = request.headers['if-none-match'];
  if (etag === undefined || known === undefined) return answer;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known !== '*' && !tags.includes(etag)) return answer;
  const { body: _body, text: _text, ...others } = answer;
  return { ...others, status: 304 };
}
