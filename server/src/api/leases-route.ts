import type { IncomingMessage } from 'node:http';
import type { JsonObject, JsonValue } from '@lockstep/shared';
import express, { type Request, type Response, type Router } from 'express';
import { formatDuration, parseDurationMs } from '../config/settings.ts';
import { assertHasRows, LockstepError } from '../domain/index.ts';
import { type LeaseGrant, type LeaseService, MIN_LEASE_TTL_MS } from '../leases/index.ts';
import type { Admission } from './admission.ts';
import type { Answer, PassedAnswer } from './answer.ts';
import type { Call, EndpointFrame } from './endpoint.ts';
import { jsonObject, jsonOf, readBytes } from './json-body.ts';
import { keyAsJson, type Operations } from './operations.ts';
import type { ApiLimits } from './ports.ts';
import { checkLeaseId, waitTimeoutOf } from './preconditions.ts';
import { invalid, invalidField } from './problems.ts';
import type { RoutedCall, RoutedCalls } from './routed-calls.ts';

interface LeaseRouteParts {
  leases: LeaseService;
  routed: RoutedCalls;
  operations: Operations;
  admission: Admission;
  limits: Pick<ApiLimits, 'bodyBytes' | 'leaseTtlMs'>;
}

type LeaseCall = (lease: LeaseRequest) => Promise<Answer | PassedAnswer>;

/** A call of `/v1/leases`, whose body is read once, whoever answers it. */
interface LeaseRequest {
  request: Request;
  routed: RoutedCall;
  body: () => Promise<JsonObject>;
}

/** `/v1/leases`: keys that a caller holds for work of its own. */
export function leasesRouter(parts: LeaseRouteParts, frame: EndpointFrame): Router {
  const router = express.Router();
  const calls: Record<string, Partial<Record<string, LeaseCall>>> = {
    '/': { POST: (lease) => grantLease(parts, lease) },
    '/:id': {
      PATCH: (lease) =>
        ofLease(parts, lease, async (id) => extendLease(parts, id, await lease.body())),
      DELETE: (lease) =>
        ofLease(parts, lease, async (id) =>
          releaseLease(
            parts,
            id,
            hasBody(lease.request) ? await lease.body() : {},
            lease.routed.call.caller,
          ),
        ),
    },
  };
  for (const [path, methods] of Object.entries(calls)) {
    const allow = Object.keys(methods).join(', ');
    router.all(path, (request: Request, response: Response) =>
      frame.serve(request, response, 'service', (_request, call: Call) => {
        const serve = methods[request.method];
        return serve === undefined
          ? Promise.resolve(frame.methodNotAllowed(allow, call.requestId))
          : serve(leaseRequest(request, call, parts.limits.bodyBytes));
      }),
    );
  }
  return router;
}

function leaseRequest(request: Request, call: Call, maxBytes: number): LeaseRequest {
  let read: Promise<Buffer> | null = null;
  const bytes = (): Promise<Buffer> => (read ??= readBytes(request, maxBytes));
  const timeout = request.headers['lockstep-timeout'];
  const waitTimeoutMs =
    timeout === undefined ? undefined : waitTimeoutOf('Lockstep-Timeout', timeout);
  return {
    request,
    routed: {
      ...{ request, call, kind: 'write' },
      conditions: waitTimeoutMs === undefined ? {} : { waitTimeoutMs },
      body: () => (hasBody(request) ? bytes() : Promise.resolve(null)),
    },
    body: async () => jsonObject(jsonOf(request, await bytes())),
  };
}

/** A lease is held by the instance that granted it: calls about it go there, wherever they arrive. */
function ofLease(
  { routed }: LeaseRouteParts,
  lease: LeaseRequest,
  serve: (id: string) => Promise<Answer>,
): Promise<Answer | PassedAnswer> {
  const id = idOf(lease.request);
  const plan = routed.planLease(lease.routed, id);
  return routed.answer(plan, lease.routed, () => serve(id));
}

/** In the key's home, where its writes come together. */
async function grantLease(
  { leases, routed, operations, admission, limits }: LeaseRouteParts,
  lease: LeaseRequest,
): Promise<Answer | PassedAnswer> {
  const body = await lease.body();
  checkFields(body, ['resource', 'key', 'ttl']);
  const key = operations.keyInBody(body['resource'], body['key']);
  assertHasRows(key.resource);
  const ttlMs = ttlOf(body['ttl'], limits.leaseTtlMs);
  const { waitTimeoutMs } = lease.routed.conditions;
  return routed.answer(routed.planKey(lease.routed, key), lease.routed, async (waitLeftMs) => {
    const waitMs = waitLeftMs ?? waitTimeoutMs;
    const { caller } = lease.routed.call;
    const grant = await admission.run(caller, () => leases.grant(key, ttlMs, waitMs, caller));
    return { status: 201, headers: { Location: `/v1/leases/${grant.id}` }, body: grantBody(grant) };
  });
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
  caller: string,
): Promise<Answer> {
  checkFields(body, ['invalidate']);
  const { invalidate = false } = body;
  if (typeof invalidate !== 'boolean') throw invalidField('invalidate', 'must be true or false');
  const key = leases.keyOf(id);
  const [cache] = invalidate ? await operations.invalidateKeys([key], [], caller) : [];
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
