/** `/v1/guards`: keys that a caller holds for a strict transaction of its own. */
import type { FieldFault, JsonObject, JsonValue } from '@lockstep/shared';
import { formatDuration, parseDurationMs } from '../config/settings.ts';
import { invalid, invalidField, type Key, keyAsJson, LockstepError } from '../domain/index.ts';
import { type GuardGrant, type GuardService, MIN_GUARD_TTL_MS } from '../guards/index.ts';
import type { Answer, PassedAnswer } from './answer.ts';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import type { Call } from './endpoint-frame.ts';
import { listOf, parseKey } from './invalidations.ts';
import { checkLeaseId, waitTimeoutOf } from './preconditions.ts';

type GuardCall = EndpointCall<undefined, undefined>;

/** Takes guards on keys, wherever the call arrives. */
export async function takeGuard(
  api: ApiServices,
  guard: EndpointCall<JsonObject, undefined>,
): Promise<Answer> {
  const { options, writes } = api;
  const timeout = guard.request.headers['lockstep-timeout'];
  const waitMs = timeout === undefined ? undefined : waitTimeoutOf('Lockstep-Timeout', timeout);
  const body = await guard.body();
  const keys = keysIn(api, body);
  assertGuards(guard.call, keys);
  const ttlMs = ttlOf(body['ttl'], options.limits.guardTtlMs);
  const { caller } = guard.call;
  const grant = await writes.run(caller, () => options.guards.take(keys, ttlMs, waitMs, caller));
  return {
    status: 201,
    headers: { Location: `/v1/guards/${grant.id}` },
    body: grantBody(api, grant),
  };
}

export const showGuard = (api: ApiServices, guard: GuardCall): Promise<Answer | PassedAnswer> =>
  atHolder(api, guard, 'read', async (id) => ({
    status: 200,
    body: grantBody(api, await api.options.guards.grantOf(id)),
  }));

export const commitGuard = (api: ApiServices, guard: GuardCall): Promise<Answer | PassedAnswer> =>
  atHolder(api, guard, 'write', async (id) => {
    const committed = await api.options.guards.commit(id);
    const results = committed.map(({ key, version, cache }) => ({
      ...{ resource: key.resource.name, key: keyAsJson(key), version, cache },
    }));
    return { status: 200, body: { results } };
  });

export const rollbackGuard = (api: ApiServices, guard: GuardCall): Promise<Answer | PassedAnswer> =>
  atHolder(api, guard, 'write', async (id) => {
    await api.options.guards.rollback(id);
    return { status: 204 };
  });

/** The instance that granted a guard holds it. Where it is no member any more, the database says what became of it. */
async function atHolder(
  { routed, options }: ApiServices,
  guard: GuardCall,
  kind: 'read' | 'write',
  serve: (id: string) => Promise<Answer>,
): Promise<Answer | PassedAnswer> {
  const { request, call } = guard;
  const id = checkGuardId(guard.param('id'));
  const asked = { request, call, kind, conditions: {}, body: () => Promise.resolve(null) };
  return routed.answer(routed.planLease(asked, id), asked, async () => {
    if (!call.access.isAdmin) assertGuards(call, await keysOf(options.guards, id));
    return serve(id);
  });
}

/** A guard is a lease that writes. @throws LockstepError `FORBIDDEN` naming the scope that is missing */
function assertGuards({ access }: Pick<Call, 'access'>, keys: readonly Key[]): void {
  for (const key of keys) {
    access.assertKey('lease', key);
    access.assertKey('write', key);
  }
}

/** The keys of a guard that is held; none of another one, whose id is all that a caller has of it. */
const keysOf = (guards: GuardService, id: string): Promise<Key[]> =>
  guards.grantOf(id).then(
    ({ keys }) => keys.map(({ key }) => key),
    () => [],
  );

function checkGuardId(text: string): string {
  try {
    return checkLeaseId(text);
  } catch {
    throw new LockstepError('UNKNOWN_GUARD', 'This is not the id of a guard.');
  }
}

function keysIn({ operations, options }: ApiServices, body: JsonObject): Key[] {
  const items = listOf(body, 'keys');
  const max = options.limits.transactionOperations;
  if (items.length > max)
    throw new LockstepError('TOO_LARGE', `At most ${max} keys may be guarded at once.`);
  if (items.length === 0) throw invalidField('keys', 'must be a list of at least one key');
  const faults: FieldFault[] = [];
  const keys = items.flatMap((item, index) => parseKey(operations, item, `keys.${index}`, faults));
  if (faults.length > 0) throw invalid(faults);
  return keys;
}

function grantBody({ options }: ApiServices, { id, keys, expiresAtMs }: GuardGrant): object {
  return {
    id,
    keys: keys.map(({ key, fence, version }) => ({
      ...{ resource: key.resource.name, key: keyAsJson(key), fence, version },
    })),
    expiresAt: new Date(expiresAtMs).toISOString(),
    database: options.guards.database,
  };
}

function ttlOf(value: JsonValue | undefined, maxMs: number): number {
  const ttlMs = parseDurationMs(value);
  if (ttlMs !== undefined && ttlMs >= MIN_GUARD_TTL_MS && ttlMs <= maxMs) return ttlMs;
  const range = `${formatDuration(MIN_GUARD_TTL_MS)} to ${formatDuration(maxMs)}`;
  throw invalidField('ttl', `must be a duration from ${range}: milliseconds, or such as 10s`);
}
