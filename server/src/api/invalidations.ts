import { type FieldFault, isJsonObject, type JsonObject, type JsonValue } from '@lockstep/shared';
import { isOwnKey, type Key, LockstepError, invalid, invalidField } from '../domain/index.ts';
import { type Access, ALL_RESOURCES } from '../identities/index.ts';
import type { Answer } from './answer.ts';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import type { Operations } from './operations.ts';

const MAX_CACHE_KEY_BYTES = 4096;

/**
 * Invalidates keys or cache keys for a caller that changed the database itself.
 * @throws LockstepError `INVALID`, `UNKNOWN_RESOURCE`, `TOO_LARGE`; nothing is invalidated then
 */
export async function runInvalidations(
  { operations, options }: ApiServices,
  asked: EndpointCall<JsonObject, undefined>,
): Promise<Answer> {
  const { access, caller } = asked.call;
  const max = options.limits.batchOperations;
  const body = await asked.body();
  const keys = listOf(body, 'keys');
  const cacheKeys = listOf(body, 'cacheKeys');
  if (keys.length + cacheKeys.length > max) {
    throw new LockstepError('TOO_LARGE', `At most ${max} keys may be invalidated at once.`);
  }
  if (body['keys'] === undefined && body['cacheKeys'] === undefined) {
    throw invalidField('keys', 'must be a list of keys (or cacheKeys one of cache keys)');
  }
  const faults: FieldFault[] = [];
  const parsedKeys = keys.flatMap((item, index) =>
    parseKey(operations, item, `keys.${index}`, faults),
  );
  for (const key of parsedKeys) access.assertKey('invalidate', key);
  const isAllowed = deletableBy(access, operations);
  const parsedCacheKeys = cacheKeys.flatMap((item, index) =>
    parseCacheKey(item, `cacheKeys.${index}`, isAllowed, faults),
  );
  if (faults.length > 0) throw invalid(faults);
  return operations.invalidate(parsedKeys, parsedCacheKeys, caller);
}

export function listOf(body: JsonObject, name: string): JsonValue[] {
  const list = body[name] ?? [];
  if (!Array.isArray(list)) throw invalidField(name, 'must be a list');
  return list;
}

/** The key of an item of a list; what is wrong with it goes to `faults`. @throws LockstepError `UNKNOWN_RESOURCE` */
export function parseKey(
  operations: Operations,
  item: JsonValue,
  path: string,
  faults: FieldFault[],
): Key[] {
  if (!isJsonObject(item)) {
    faults.push({ path, message: 'must be an object with resource and key' });
    return [];
  }
  try {
    return [operations.keyInBody(item['resource'], item['key'])];
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'INVALID') throw error;
    for (const fault of error.details.errors ?? []) {
      faults.push({ path: `${path}.${fault.path}`, message: fault.message });
    }
    return [];
  }
}

/**
 * A service may invalidate keys that resources own, by a scope for the whole resource, since nobody looks whose row such a
 * key is of; those that only an `invalidates` template makes, by a scope for all resources. An admin may invalidate every
 * key but Lockstep's own.
 */
function deletableBy(access: Access, operations: Operations): (cacheKey: string) => boolean {
  if (access.isAdmin) return () => true;
  const owners = operations.owners();
  return (cacheKey) => {
    const owner = owners.of(cacheKey);
    if (owner === null && !owners.isInvalidated(cacheKey)) return false;
    access.assertWhole('invalidate', owner?.name ?? ALL_RESOURCES);
    return true;
  };
}

function parseCacheKey(
  item: JsonValue,
  path: string,
  isAllowed: (cacheKey: string) => boolean,
  faults: FieldFault[],
): string[] {
  const isKey = typeof item === 'string' && item !== '' && item.isWellFormed();
  if (!isKey || Buffer.byteLength(item) > MAX_CACHE_KEY_BYTES) {
    faults.push({ path, message: `must be text of 1 to ${MAX_CACHE_KEY_BYTES} bytes` });
    return [];
  }
  if (isOwnKey(item)) {
    faults.push({ path, message: 'is a key that Lockstep keeps for itself' });
    return [];
  }
  if (isAllowed(item)) return [item];
  const message =
    'is neither the cache key of a resource nor one that an invalidates template makes; allowed: those, or the admin token';
  faults.push({ path, message });
  return [];
}
