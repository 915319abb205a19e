/**
 * What calls of `lockstep_invalidate`, and the rows that capture triggers noted, mean for the cache. Pure.
 *
 * The key of a call is spelled as its writer likes, and becomes the resource's own spelling here. Values from before the
 * change are not known to a call: what hangs on its row is found by the row as it is after the commit.
 */
import {
  isCached,
  type Key,
  type KeyPrefix,
  keyPrefix,
  LockstepError,
  makeKey,
  partsFromJson,
  siblingKeys,
} from '../domain/index.ts';
import { type CapturedKeys, capturedKeys } from './captured.ts';
import type { KnownResources } from '../outbox/index.ts';
import type { InvalidationCall } from './port.ts';

/** A call that names one row. */
export interface KeyCall {
  call: InvalidationCall;
  /** The row's key by the resource of the call, and then by every other resource that shares the row. */
  keys: readonly [Key, ...Key[]];
}

/** Rows that a capture trigger noted. */
export interface CapturedCall extends CapturedKeys {
  call: InvalidationCall;
}

/** A call that names many rows, whose entries are found in the cache. */
export interface PrefixCall {
  call: InvalidationCall;
  prefix: KeyPrefix;
}

/** A call that is left to a coordinator that knows its resource. */
export interface UnknownCall {
  call: InvalidationCall;
  isConfigured: boolean;
}

export interface CallPlan {
  keys: KeyCall[];
  captured: CapturedCall[];
  prefixes: PrefixCall[];
  /** Their resources are not configured here, or not as the cluster has them now (`isConfigured`). */
  unknown: UnknownCall[];
  /** No row can have such a key. */
  impossible: { call: InvalidationCall; error: string }[];
}

/** Never throws: a call that cannot be understood is `impossible`. */
export function planCalls(
  calls: readonly InvalidationCall[],
  { resources, isCurrent = () => true }: KnownResources,
): CallPlan {
  const plan: CallPlan = { keys: [], captured: [], prefixes: [], unknown: [], impossible: [] };
  for (const call of calls) {
    const resource = resources.get(call.resource);
    if (resource === undefined || !isCurrent(resource)) {
      plan.unknown.push({ call, isConfigured: resource !== undefined });
      continue;
    }
    if (call.changes !== null) {
      const captured = capturedKeys(resource, call.changes);
      if (captured !== null) plan.captured.push({ call, ...captured });
      else plan.prefixes.push({ call, prefix: keyPrefix(resource, []) });
      continue;
    }
    try {
      const parts = partsFromJson(call.parts);
      if (parts.length < resource.keyColumns.length) {
        plan.prefixes.push({ call, prefix: keyPrefix(resource, parts) });
      } else {
        const key = makeKey(resource, parts);
        plan.keys.push({ call, keys: [key, ...siblingKeys(key)] });
      }
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      plan.impossible.push({ call, error: `no row has this key: ${reasonOf(error)}` });
    }
  }
  return plan;
}

/** The row's own entries. A sibling that is not cached has none. */
export const ownCacheKeys = ({ keys }: KeyCall): string[] =>
  keys.filter(({ resource }, at) => at === 0 || isCached(resource)).map(({ cacheKey }) => cacheKey);

const reasonOf = ({ details, message }: LockstepError): string =>
  details.errors?.map((fault) => `${fault.path} ${fault.message}`).join('; ') ?? message;
