/**
 * What an endpoint of the API is. The table of all of them is `endpoints.ts`: the router, the API document and the roles
 * come from it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';
import type { CallKind, JsonObject, JsonValue } from '@lockstep/shared';
import type { z } from 'zod';
import type { Needs } from '../identities/index.ts';
import type { Admission } from './admission.ts';
import type { Answer, PassedAnswer } from './answer.ts';
import type { Call, EndpointFrame } from './endpoint-frame.ts';
import { checkFields, checkShape } from './fields.ts';
import { jsonObject, jsonOf, readBytes } from './json-body.ts';
import type { MetricsDoor } from './metrics-door.ts';
import type { Operations } from './operations.ts';
import type { ApiOptions } from './ports.ts';
import type { RoutedCalls } from './routed-calls.ts';

export type Method = 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

/** What the handlers work with. */
export interface ApiServices {
  options: ApiOptions;
  operations: Operations;
  frame: EndpointFrame;
  routed: RoutedCalls;
  writes: Admission;
  /** Bytes of the results of all batches that are not answered yet. */
  batches: { bytes: number };
  metrics: { text(): Promise<string> };
  metricsDoor: MetricsDoor;
  document: { json(): Promise<string>; page(): Promise<string> };
}

/** How the body of a call is checked. */
export interface BodyRule<Body> {
  schema: z.ZodType;
  /** False: a call without a body has an empty one. */
  isRequired: boolean;
  /** @throws LockstepError `INVALID` with each wrong field */
  check(value: JsonValue): Body;
}

/** A body that its schema checks whole. */
export const checkedBody = <Schema extends z.ZodObject>(
  schema: Schema,
): BodyRule<z.output<Schema>> => ({
  schema,
  isRequired: true,
  check: (value) => checkShape(schema, value),
});

/** A body that its handler checks whole, for which it must know the resource. */
export const openBody = (schema: z.ZodType): BodyRule<JsonObject> => ({
  schema,
  isRequired: true,
  check: jsonObject,
});

/** A body whose field names the schema checks. The handler checks the values, for which it must know the resource. */
export const namedBody = (schema: z.ZodObject, isRequired = true): BodyRule<JsonObject> => ({
  schema,
  isRequired,
  check: (value) => {
    const object = jsonObject(value);
    checkFields(schema, object);
    return object;
  },
});

interface AnswerDeclaration {
  description: string;
  /** Absent: no body. */
  schema?: z.ZodType;
  headers?: z.ZodObject;
  /** Default: JSON. */
  mediaType?: string;
}

export interface Declaration<Body, Query> {
  method: Method;
  /** With parameters in braces. */
  path: string;
  /** The least role that may call it; `service`: callers with scopes; null: open to everyone. */
  role: Needs['role'] | null;
  /** As in `Needs`. */
  scopes: Needs['scopes'];
  /** The heading under which the API document lists it. */
  tag: string;
  summary: string;
  params?: z.ZodObject;
  headers?: z.ZodObject;
  query?: z.ZodObject & z.ZodType<Query>;
  body?: BodyRule<Body>;
  answers: Readonly<Record<number, AnswerDeclaration>>;
  /** What the call does, beyond what the fields above say: the codes that it can answer derive from this. */
  kinds?: readonly CallKind[];
  /** A page for people, with the security headers of pages. */
  isPage?: boolean;
}

export type Handler<Body, Query> = (
  api: ApiServices,
  call: EndpointCall<Body, Query>,
) => Answer | PassedAnswer | Promise<Answer | PassedAnswer>;

/** One row of the table. */
export interface Endpoint extends Omit<Declaration<unknown, unknown>, 'kinds' | 'body'> {
  kinds: readonly CallKind[];
  body?: Pick<BodyRule<unknown>, 'schema' | 'isRequired'> | undefined;
  /** Null: a route of its own answers it, before any middleware runs. */
  serve: ((api: ApiServices, arrived: ArrivedCall) => ReturnType<Handler<unknown, unknown>>) | null;
}

/** A call that has been let in, before its body and query are looked at. */
export interface ArrivedCall {
  request: IncomingMessage;
  call: Call;
  /** As the path has them; express has decoded them. */
  params: Readonly<Record<string, string | string[] | undefined>>;
}

/** An endpoint that the router serves. */
export function endpoint<Body = undefined, Query = undefined>(
  declaration: Declaration<Body, Query> & { handle: Handler<Body, Query> },
): Endpoint {
  const { handle, ...declared } = declaration;
  return {
    ...declared,
    kinds: kindsOf(declared),
    serve: (api, arrived) =>
      handle(api, new EndpointCall(arrived, declared, api.options.limits.bodyBytes)),
  };
}

/** The rows of one heading whose callers need the same. */
export const rowsOf =
  (tag: string, role: Endpoint['role'], scopes: Endpoint['scopes'] = []) =>
  <Body = undefined, Query = undefined>(
    row: Omit<Declaration<Body, Query>, 'tag' | 'role' | 'scopes'> & {
      handle: Handler<Body, Query>;
    },
  ): Endpoint =>
    endpoint({ ...row, tag, role, scopes });

/** An endpoint that a route of its own serves: the hot path. */
export const declaredOnly = (
  declaration: Omit<Declaration<never, unknown>, 'body'> & Pick<Endpoint, 'body'>,
): Endpoint => ({ ...declaration, kinds: kindsOf(declaration), serve: null });

function kindsOf({
  role,
  body,
  kinds = [],
}: Pick<Declaration<never, never>, 'role' | 'kinds'> & { body?: object | undefined }) {
  const derived: CallKind[] = ['any'];
  if (role !== null) derived.push('signed-in');
  if (body !== undefined) derived.push('body');
  return [...derived, ...kinds];
}

/** A call as its handler sees it. The body is read once, whoever asks for it, and only when it is asked for. */
export class EndpointCall<Body, Query> {
  readonly request: IncomingMessage;
  readonly call: Call;
  readonly #params: ArrivedCall['params'];
  readonly #rules: { body?: BodyRule<Body>; query?: z.ZodType<Query> };
  readonly #maxBytes: number;
  #read: Promise<Buffer> | null = null;

  constructor(
    { request, call, params }: ArrivedCall,
    rules: { body?: BodyRule<Body>; query?: z.ZodType<Query> },
    maxBytes: number,
  ) {
    this.request = request;
    this.call = call;
    this.#params = params;
    this.#rules = rules;
    this.#maxBytes = maxBytes;
  }

  param(name: string): string {
    return String(this.#params[name] ?? '');
  }

  /** The body as it came; null where there is none. @throws LockstepError `TOO_LARGE`, `MALFORMED` */
  bytes(): Promise<Buffer | null> {
    return hasBody(this.request) ? this.#bytes() : Promise.resolve(null);
  }

  /** @throws LockstepError `UNSUPPORTED_MEDIA_TYPE`, `TOO_LARGE`, `MALFORMED`, `INVALID` with each wrong field */
  async body(): Promise<Body> {
    const rule = this.#rules.body;
    if (rule === undefined) throw new TypeError('This endpoint declares no body.');
    if (!rule.isRequired && !hasBody(this.request)) return rule.check({});
    return rule.check(jsonOf(this.request, await this.#bytes()));
  }

  /** @throws LockstepError `INVALID` with each wrong field */
  query(): Query {
    const schema = this.#rules.query;
    if (schema === undefined) throw new TypeError('This endpoint declares no query.');
    return checkShape(schema, parse(splitUrl(this.request.url ?? '').query));
  }

  #bytes(): Promise<Buffer> {
    return (this.#read ??= readBytes(this.request, this.#maxBytes));
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Path and query of a request's URL. */
export function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** The endpoints of one path: its methods, and what they have in common. */
export interface PathEndpoints {
  path: string;
  isOpen: boolean;
  /** The value of the header `Allow`. */
  allow: string;
  isPaced: boolean;
  isPage: boolean;
  byMethod: ReadonlyMap<string, Endpoint>;
  /** What a call needs, by method. */
  needs: ReadonlyMap<string, Needs>;
  /** What a call needs to be told that the path has no such method. */
  leastNeeds: Needs;
}

/** Answers a call of a path: by the endpoint of its method, or with 405. */
export function servePath(
  api: ApiServices,
  { isOpen, allow, byMethod, needs, leastNeeds }: PathEndpoints,
  request: IncomingMessage,
  response: ServerResponse,
  params: () => ArrivedCall['params'],
): Promise<void> {
  const answer = (call: Call): ReturnType<Handler<never, never>> => {
    const serve = byMethod.get(request.method ?? '')?.serve;
    return serve === undefined || serve === null
      ? api.frame.methodNotAllowed(allow, call.requestId)
      : serve(api, { request, call, params: params() });
  };
  if (isOpen) return api.frame.serveOpen(request, response, answer);
  const needed = needs.get(request.method ?? '') ?? leastNeeds;
  return api.frame.serve(request, response, needed, (_request, call) => answer(call));
}

/** The endpoints by their path, in the order of the table. HEAD is served as GET. */
export function groupByPath(endpoints: readonly Endpoint[]): PathEndpoints[] {
  const paths = new Set(endpoints.map(({ path }) => path));
  return [...paths].map((path) => {
    const rows = endpoints.filter((row) => row.path === path);
    const byMethod = new Map(rows.map((row) => [row.method as string, row]));
    const get = byMethod.get('GET');
    if (get !== undefined) byMethod.set('HEAD', get);
    const allow = rows.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    const needs = [...byMethod].flatMap(([method, { role, scopes }]) =>
      role === null ? [] : [[method, { role, scopes }] as const],
    );
    const isService = rows.some(({ role }) => role === 'service');
    return {
      path,
      isOpen: needs.length === 0,
      needs: new Map(needs),
      leastNeeds: { role: isService ? 'service' : 'viewer', scopes: [] },
      allow: allow.join(', '),
      isPaced: rows.some(({ kinds }) => kinds.includes('paced')),
      isPage: rows.some(({ isPage }) => isPage === true),
      byMethod,
    };
  });
}
