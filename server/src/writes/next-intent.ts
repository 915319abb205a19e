/**
 * The next write's intent, put while this one's transaction is under way (docs/decisions/0020-next-intent.md).
 *
 *   none -> placed -> handed over (the next holder in this process writes under it)
 *                  -> this holder's own (nobody followed: it ends it by a publish, or by a withdrawal)
 *
 * Invariants
 *   - An intent stands from before this holder's transaction until after the next one's (W1): this one replaced this
 *     holder's own, and its fence is above this holder's and below every later one's.
 *   - It is handed on at most once, with the lock itself, and only where its placement was answered.
 */
import type { Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';
import type { WriteParts } from './parts.ts';

/**
 * Where a write of this process follows, puts its intent. Never rejects; null where none was put, or nobody knows.
 * Not with `verifyIntent`, by which a write commits only under an intent of its own, and not where a write has several.
 */
export async function placeNext(
  { cache, runtime, verifyIntent }: WriteParts,
  key: Key,
  lock: HeldLock,
  fence: number,
): Promise<Intent | null> {
  if (verifyIntent === true || key.resource.shared !== undefined || !lock.canHandOverIntent())
    return null;
  try {
    return await cache.placeIntent(key.cacheKey, runtime.ids.next(), fence);
  } catch (error) {
    // Where it stands all the same, it hides every older value until a recovery ends it.
    runtime.log.debug({ err: error, resource: key.resource.name }, 'a next intent was not placed');
    return null;
  }
}
