import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JsonValue } from '@lockstep/shared';
import { LockstepError } from '../domain/index.ts';
import type { ReadOptions } from '../reads/port.ts';
import type { Answer } from './answer.ts';
import type { Call, EndpointFrame } from './endpoint.ts';
import { readJson } from './json-body.ts';
import type { Operations, WriteOp } from './operations.ts';
import { preconditionsOf, tokenIn } from './preconditions.ts';
import { invalidField } from './problems.ts';
import { parseToken, type Token } from './token.ts';

const PREFIX = '/v1/resources/';
const METHODS: Partial<Record<string, WriteOp | 'get'>> = {
  GET: 'get',
  HEAD: 'get',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
};
const ALLOW = 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS';

/**
 * `/v1/resources/{resource}/{key}`: the hot path. It works on the raw request line, for speed and because a key's
 * parts must still be percent-encoded when they are split, and runs before any other middleware.
 */
export class ResourceRoute {
  readonly #operations: Operations;
  readonly #frame: EndpointFrame;
  readonly #maxBytes: number;

  constructor(operations: Operations, frame: EndpointFrame, maxBytes: number) {
    this.#operations = operations;
    this.#frame = frame;
    this.#maxBytes = maxBytes;
  }

  /** Answers where the request is of this route, and says whether it is. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '';
    if (!url.startsWith(PREFIX)) return false;
    void this.#frame.serve(request, response, 'service', (_request, call) =>
      this.#answer(request, url, call),
    );
    return true;
  }

  async #answer(request: IncomingMessage, url: string, call: Call): Promise<Answer> {
    const { path, query } = splitUrl(url);
    const [resource = '', key, ...rest] = path.slice(PREFIX.length).split('/');
    if (key === undefined || key === '' || rest.length > 0) {
      throw new LockstepError(
        'NOT_FOUND',
        'The path must be /v1/resources/{resource}/{key}; a slash in a key is %2F.',
      );
    }
    const op = METHODS[request.method ?? ''];
    if (request.method === 'OPTIONS') return { status: 204, headers: { Allow: ALLOW } };
    if (op === undefined) return this.#frame.methodNotAllowed(ALLOW, call.requestId);
    const target = this.#operations.keyInPath(resource, key);
    if (op === 'get') {
      const { options, token } = readRequest(query);
      const seen = token ?? tokenIn(request.headers);
      return notModified(request, await this.#operations.read(target, options, seen));
    }
    const conditions = preconditionsOf(request.headers);
    const body = op === 'delete' ? undefined : await this.#body(request);
    return this.#operations.write(op, target, body, conditions);
  }

  #body(request: IncomingMessage): Promise<JsonValue> {
    return readJson(request, this.#maxBytes);
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

/** A reader that shows the version which it has already hears only that it still holds. */
function notModified(request: IncomingMessage, answer: Answer): Answer {
  const etag = answer.headers?.['ETag'];
  const known = request.headers['if-none-match'];
  if (etag === undefined || known === undefined) return answer;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known !== '*' && !tags.includes(etag)) return answer;
  return { ...answer, status: 304, body: undefined };
}
