/** `/v1/leases`: keys that a caller holds for work of its own. */
import type { JsonObject, JsonValue } from '@lockstep/shared';
import { formatDuration, parseDurationMs } from '../config/settings.ts';
import { assertHasRows, invalidField, keyAsJson } from '../domain/index.ts';
import { type LeaseGrant, MIN_LEASE_TTL_MS } from '../leases/index.ts';
import type { Answer, PassedAnswer } from './answer.ts';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import { checkLeaseId, waitTimeoutOf } from './preconditions.ts';
import type { RoutedCall } from './routed-calls.ts';

type LeaseCall = EndpointCall<JsonObject, undefined>;

/** Grants a lease at the key's home, where the key's writes come together. */
export async function grantLease(
  { options, operations, routed, writes }: ApiServices,
  lease: LeaseCall,
): Promise<Answer | PassedAnswer> {
  const asked = routedCall(lease);
  const body = await lease.body();
  const key = operations.keyInBody(body['resource'], body['key']);
  lease.call.access.assertKey('lease', key);
  assertHasRows(key.resource);
  const ttlMs = ttlOf(body['ttl'], options.limits.leaseTtlMs);
  const { waitTimeoutMs } = asked.conditions;
  return routed.answer(routed.planKey(asked, key), asked, async (waitLeftMs) => {
    const waitMs = waitLeftMs ?? waitTimeoutMs;
    const { caller } = lease.call;
    const grant = await writes.run(caller, () => options.leases.grant(key, ttlMs, waitMs, caller));
    return { status: 201, headers: { Location: `/v1/leases/${grant.id}` }, body: grantBody(grant) };
  });
}

export const extendLease = (api: ApiServices, lease: LeaseCall): Promise<Answer | PassedAnswer> =>
  atHolder(api, lease, async (id) => {
    const { ttl } = await lease.body();
    const { leases, limits } = api.options;
    lease.call.access.assertKey('lease', leases.keyOf(id));
    return { status: 200, body: grantBody(leases.extend(id, ttlOf(ttl, limits.leaseTtlMs))) };
  });

/** Invalidates the entry before it gives up the lock: the next holder finds nothing older. */
export const releaseLease = (api: ApiServices, lease: LeaseCall): Promise<Answer | PassedAnswer> =>
  atHolder(api, lease, async (id) => {
    const { invalidate = false } = await lease.body();
    if (typeof invalidate !== 'boolean') throw invalidField('invalidate', 'must be true or false');
    const { leases } = api.options;
    const key = leases.keyOf(id);
    lease.call.access.assertKey('lease', key);
    if (invalidate) lease.call.access.assertKey('invalidate', key);
    const [cache] = invalidate
      ? await api.operations.invalidateKeys([key], [], lease.call.caller)
      : [];
    leases.release(id);
    const released = { id, resource: key.resource.name, key: keyAsJson(key), released: true };
    return { status: 200, body: cache === undefined ? released : { ...released, cache } };
  });

/** The instance that granted a lease holds it: calls about the lease go there, wherever they arrive. */
async function atHolder(
  { routed }: ApiServices,
  lease: LeaseCall,
  serve: (id: string) => Promise<Answer>,
): Promise<Answer | PassedAnswer> {
  const asked = routedCall(lease);
  const id = checkLeaseId(lease.param('id'));
  return routed.answer(routed.planLease(asked, id), asked, () => serve(id));
}

function routedCall(lease: LeaseCall): RoutedCall {
  const { request, call } = lease;
  const timeout = request.headers['lockstep-timeout'];
  const conditions =
    timeout === undefined ? {} : { waitTimeoutMs: waitTimeoutOf('Lockstep-Timeout', timeout) };
  return { request, call, kind: 'write', conditions, body: () => lease.bytes() };
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
