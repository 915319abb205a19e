import type { JsonObject } from '@lockstep/shared/for-clients';
import type { LockstepError } from './errors.ts';
import { keyText } from './json.ts';
import type { LeaseCalls } from './lease.ts';
import type { CallOptions, Key, LeaseOptions } from './types.ts';
import type { Writes } from './writes.ts';

/** Its caller has said how long to wait. */
const isNoLockTimeout = ({ code }: LockstepError): boolean => code !== 'LOCK_TIMEOUT';

/** What a lease on the key asks of the coordinator. */
export function leaseCalls(
  writes: Writes,
  resource: string,
  key: Key,
  { ttlMs, waitMs }: LeaseOptions,
): LeaseCalls {
  const headers: Record<string, string> = {};
  if (waitMs !== undefined) headers['lockstep-timeout'] = String(waitMs);
  const call = (
    op: string,
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body: string,
    options: CallOptions,
  ): Promise<JsonObject> => {
    // A grant that is not answered ends with its TTL, and is not asked for twice.
    const isRepeatable = method !== 'POST';
    const named = { op, method, path, body, headers, resource, isWrite: true, isRepeatable };
    return writes.single({ ...named, isRetried: isNoLockTimeout }, options);
  };
  const pathOf = (id: string): string => `/v1/leases/${encodeURIComponent(id)}`;
  return {
    grant: (options) => {
      const name = JSON.stringify(resource);
      const body = `{"resource":${name},"key":${keyText(key)},"ttl":${JSON.stringify(ttlMs)}}`;
      return call('lease', 'POST', '/v1/leases', body, options);
    },
    extend: (id, ttl, options) =>
      call('extend', 'PATCH', pathOf(id), JSON.stringify({ ttl }), options),
    release: (id, invalidate, options) =>
      call('release', 'DELETE', pathOf(id), JSON.stringify({ invalidate }), options),
  };
}
