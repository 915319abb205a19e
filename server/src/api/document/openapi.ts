import {
  OpenAPIRegistry,
  OpenApiGeneratorV31,
  type ResponseConfig,
  type RouteConfig,
} from '@asteasolutions/zod-to-openapi';
import { type CallKind, ERROR_CODES, type ErrorCode } from '@lockstep/shared';
import type { Endpoint } from '../endpoint.ts';
import { ENDPOINTS, TAGS } from '../endpoints.ts';
import { problem } from '../schemas.ts';

export type ApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

/** The OpenAPI 3.1 document of the table of endpoints. */
export function apiDocument(version: string): ApiDocument {
  const registry = new OpenAPIRegistry();
  const bearer = registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description:
      'The service token, the admin token for /v1/ops, or an API key. The names beside it are the role, or the actions whose scopes are needed.',
  });
  for (const row of ENDPOINTS) {
    registry.registerPath({
      method: METHODS[row.method],
      path: row.path,
      summary: row.summary,
      tags: [row.tag],
      security: securityOf(row, bearer.name),
      request: requestOf(row),
      responses: { ...answersOf(row), ...problemsOf(row) },
    });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Lockstep',
      version,
      description: 'Writes that keep a SQL database and a Redis cache in step.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
  });
}

/** Either of the lists is enough. */
function securityOf({ role, scopes }: Endpoint, scheme: string): Record<string, string[]>[] {
  if (role === null) return [];
  if (role === 'service') return [{ [scheme]: [...scopes] }];
  return [[role], ...scopes.map((action) => [action])].map((names) => ({ [scheme]: names }));
}

/** What a caller lacks who is answered `FORBIDDEN`. */
function neededBy({ role, scopes }: Endpoint): string {
  const named = scopes.join(' and ');
  if (role === 'service')
    return scopes.length === 0
      ? 'Needs scopes of a service; in a batch each operation is looked at by itself.'
      : `Needs the scope ${named} for the resource, and for the key where it names one.`;
  const or = scopes.length === 0 ? '' : `, or the scope ${named} for the resource`;
  return `Needs the role ${role ?? 'none'}${or}.`;
}

const METHODS = {
  ...{ GET: 'get', PUT: 'put', PATCH: 'patch', POST: 'post', DELETE: 'delete' },
} as const satisfies Record<Endpoint['method'], RouteConfig['method']>;

function requestOf({
  params,
  headers,
  query,
  body,
}: Endpoint): NonNullable<RouteConfig['request']> {
  return {
    ...(params && { params }),
    ...(headers && { headers }),
    ...(query && { query }),
    ...(body && {
      body: { content: { 'application/json': { schema: body.schema } }, required: body.isRequired },
    }),
  };
}

function answersOf({ answers }: Endpoint): Record<string, ResponseConfig> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, headers, mediaType }]) => [
      status,
      {
        description,
        ...(headers && { headers }),
        ...(schema && { content: { [mediaType ?? 'application/json']: { schema } } }),
      },
    ]),
  );
}

/** Problem answers by status, each with the codes that it can carry. */
function problemsOf(row: Endpoint): Record<string, ResponseConfig> {
  const { kinds, answers } = row;
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const { status, calls } = ERROR_CODES[code];
    const isAnswered = calls.some((kind: CallKind) => kinds.includes(kind));
    if (isAnswered && !(status in answers))
      byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.includes('FORBIDDEN')
          ? `${codes.join(', ')}. ${neededBy(row)}`
          : codes.join(', '),
        content: { 'application/problem+json': { schema: problem } },
      },
    ]),
  );
}
