import type { IncomingMessage } from 'node:http';
import type { JsonObject, JsonValue } from '@lockstep/shared';
import express, { type Request, type Response, type Router } from 'express';
import { formatDuration, parseDurationMs } from '../config/settings.ts';
import { assertHasRows, LockstepError } from '../domain/index.ts';
import { type LeaseGrant, type LeaseService, MIN_LEASE_TTL_MS } from '../leases/index.ts';
import type { WriteAdmission } from './admission.ts';
import type { Answer } from './answer.ts';
import type { Call, EndpointFrame } from './endpoint.ts';
import { readJsonObject } from './json-body.ts';
import { keyAsJson, type Operations } from './operations.ts';
import type { ApiLimits } from './ports.ts';
import { checkLeaseId, waitTimeoutOf } from './preconditions.ts';
import { invalid, invalidField } from './problems.ts';

interface LeaseRouteParts {
  leases: LeaseService;
  operations: Operations;
  admission: WriteAdmission;
  limits: Pick<ApiLimits, 'bodyBytes' | 'leaseTtlMs'>;
}

type LeaseCall = (request: Request) => Promise<Answer>;

/** `/v1/leases`: keys that a caller holds for work of its own. */
export function leasesRouter(parts: LeaseRouteParts, frame: EndpointFrame): Router {
  const router = express.Router();
  const body = (request: Request): Promise<JsonObject> =>
    readJsonObject(request, parts.limits.bodyBytes);
  const calls: Record<string, Partial<Record<string, LeaseCall>>> = {
    '/': { POST: async (request) => grantLease(parts, request, await body(request)) },
    '/:id': {
      PATCH: async (request) => extendLease(parts, idOf(request), await body(request)),
      DELETE: async (request) =>
        releaseLease(parts, idOf(request), hasBody(request) ? await body(request) : {}),
    },
  };
  for (const [path, methods] of Object.entries(calls)) {
    const allow = Object.keys(methods).join(', ');
    router.all(path, (request: Request, response: Response) =>
      frame.serve(request, response, 'service', (_request, { requestId }: Call) => {
        const call = methods[request.method];
        return call === undefined
          ? Promise.resolve(frame.methodNotAllowed(allow, requestId))
          : call(request);
      }),
    );
  }
  return router;
}

async function grantLease(
  { leases, operations, admission, limits }: LeaseRouteParts,
  { headers }: IncomingMessage,
  body: JsonObject,
): Promise<Answer> {
  checkFields(body, ['resource', 'key', 'ttl']);
  const key = operations.keyInBody(body['resource'], body['key']);
  assertHasRows(key.resource);
  const ttlMs = ttlOf(body['ttl'], limits.leaseTtlMs);
  const timeout = headers['lockstep-timeout'];
  const waitMs = timeout === undefined ? undefined : waitTimeoutOf('Lockstep-Timeout', timeout);
  const grant = await admission.run(() => leases.grant(key, ttlMs, waitMs));
  return { status: 201, headers: { Location: `/v1/leases/${grant.id}` }, body: grantBody(grant) };
}

function extendLease(
  { leases, limits }: LeaseRouteParts,
  id: string,
  body: JsonObject,
): Promise<Answer> {
  checkFields(body, ['ttl']);
  const grant = leases.extend(id, ttlOf(body['ttl'], limits.leaseTtlMs));
  return Promise.resolve({ status: 200, body: grantBody(grant) });
}

/** The entry goes before the lock does: whoever comes next finds nothing older. */
async function releaseLease(
  { leases, operations }: LeaseRouteParts,
  id: string,
  body: JsonObject,
): Promise<Answer> {
  checkFields(body, ['invalidate']);
  const { invalidate = false } = body;
  if (typeof invalidate !== 'boolean') throw invalidField('invalidate', 'must be true or false');
  const key = leases.keyOf(id);
  const [cache] = invalidate ? await operations.invalidateKeys([key], []) : [];
  leases.release(id);
  const released = { id, resource: key.resource.name, key: keyAsJson(key), released: true };
  return { status: 200, body: cache === undefined ? released : { ...released, cache } };
}

function grantBody({ id, key, fence, expiresAtMs }: LeaseGrant): object {
  return {
    id,
    resource: key.resource.name,
    key: keyAsJson(key),
    fence,
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
}

function ttlOf(value: JsonValue | undefined, maxMs: number): number {
  const ttlMs = parseDurationMs(value);
  if (ttlMs !== undefined && ttlMs >= MIN_LEASE_TTL_MS && ttlMs <= maxMs) return ttlMs;
  const range = `${formatDuration(MIN_LEASE_TTL_MS)} to ${formatDuration(maxMs)}`;
  throw invalidField('ttl', `must be a duration from ${range}: milliseconds, or such as 30s`);
}

function checkFields(body: JsonObject, known: readonly string[]): void {
  const unknown = Object.keys(body).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const message = `is not known; allowed: ${known.join(', ')}`;
  throw invalid(unknown.map((path) => ({ path, message })));
}

/** @throws LockstepError `UNKNOWN_LEASE` */
function idOf(request: Request): string {
  const { id } = request.params;
  if (typeof id === 'string') return checkLeaseId(id);
  throw new LockstepError('UNKNOWN_LEASE', 'This is no id of a lease.');
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
