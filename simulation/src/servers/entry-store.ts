import { invalidateEach } from '../../../server/src/cache/invalidate-each.ts';
import type { EntryScanner, EntryStore, StoredEntry } from '../../../server/src/cache/port.ts';
import type { CacheBackDoor } from '@lockstep/testkit/controls';
import type { MemoryCache } from './memory-cache.ts';
import { LockstepError } from '../../../server/src/domain/index.ts';
import type { Timers } from '../../../server/src/runtime/index.ts';

/** Sends one step to the cache. */
export type SendToCache = <T>(name: string, cacheKey: string, step: () => T) => Promise<T>;

/** How the replica is waited for after an intent. */
export interface Waiting {
  /** `any-connection`: a lost WAIT is sent again, to whatever server answers then (X8 broken). */
  on: 'same-connection' | 'any-connection';
  timers: Pick<Timers, 'sleep'>;
}

const WAIT_TRIES = 40;
const WAIT_PAUSE_MS = 10;

/** The engine's port of the cache: each step is sent. */
export function entryStoreOn(
  cache: MemoryCache,
  send: SendToCache,
  isAvailable: () => boolean,
  waiting: Waiting | null = null,
): EntryStore {
  const invalidate: EntryStore['invalidate'] = (cacheKey, version) =>
    send('invalidate', cacheKey, () => cache.invalidate(cacheKey, version));
  const read = (cacheKey: string): Promise<StoredEntry | null> =>
    send('read', cacheKey, () => cache.read(cacheKey));
  /** Until the replica has what was placed on the server of this epoch. */
  const waited = async (
    cacheKey: string,
    epoch: number,
    { on, timers }: Waiting,
  ): Promise<void> => {
    const wait = (): Promise<boolean> =>
      send('wait', cacheKey, () => {
        if (on === 'same-connection' && cache.epoch !== epoch) return false;
        cache.catchUp();
        return true;
      });
    let isThere = false;
    if (on === 'same-connection') isThere = await wait();
    for (let tries = 0; on === 'any-connection' && !isThere && tries < WAIT_TRIES; tries += 1) {
      isThere = await wait().catch(() => false);
      if (!isThere) await timers.sleep(WAIT_PAUSE_MS);
    }
    if (!isThere)
      throw new LockstepError('CACHE_UNAVAILABLE', 'The connection was lost while it waited.');
  };
  return {
    read,
    readMany: (cacheKeys) => Promise.all(cacheKeys.map(read)),
    leaseOrRead: (cacheKey, leaseId) =>
      send('lease-or-read', cacheKey, () => cache.leaseOrRead(cacheKey, leaseId)),
    fill: (cacheKey, leaseId, value) =>
      send(`fill v${value.version}`, cacheKey, () =>
        cache.fill(cacheKey, leaseId, value) ? 'filled' : 'refused',
      ),
    placeIntent: async (cacheKey, intentId, aboveFence, fences) => {
      const { intent, epoch } = await send('place-intent', cacheKey, () => ({
        intent: cache.placeIntent(cacheKey, intentId, aboveFence, fences),
        epoch: cache.epoch,
      }));
      if (waiting !== null) await waited(cacheKey, epoch, waiting);
      return intent;
    },
    publish: (cacheKey, intent, version, value) =>
      send(`publish v${version} of ${intent.fence}`, cacheKey, () =>
        cache.publish(cacheKey, intent, version, value),
      ),
    withdrawIntent: (cacheKey, intent, version) =>
      send(`withdraw-intent ${intent.fence}`, cacheKey, () =>
        cache.withdrawIntent(cacheKey, intent, version),
      ),
    intentAgeMs: async (cacheKey, intent) => {
      const ageMs = await send('intent-age', cacheKey, () => cache.intentAgeMs(cacheKey, intent));
      return ageMs < 0 ? null : ageMs;
    },
    invalidate,
    invalidateMany: (items) =>
      invalidateEach(items, ({ cacheKey, version, position }) =>
        invalidate(cacheKey, version, position),
      ),
    invalidateIfUnchanged: (cacheKey, text) =>
      send('invalidate-if-unchanged', cacheKey, () => cache.invalidateIfUnchanged(cacheKey, text)),
    ttlMs: (cacheKey) => send('ttl', cacheKey, () => cache.ttlMs(cacheKey)),
    get available() {
      return isAvailable();
    },
  };
}

/** A sweep in one page. As in a real one, keys may change between the two round trips. */
export function scannerOn(cache: MemoryCache, send: SendToCache): Pick<EntryScanner, 'scan'> {
  return {
    scan: async () => {
      const names = await send('scan', '', () => cache.keys());
      const ttls = await send('ttls', '', () => names.map((name) => cache.ttlMs(name)));
      const keys = names.flatMap((cacheKey, index) => {
        const ttlMs = ttls[index];
        return ttlMs === undefined ? [] : [{ cacheKey, ttlMs }];
      });
      return { next: null, keys };
    },
  };
}

export function cacheBackDoorOn(cache: MemoryCache, send: SendToCache): CacheBackDoor {
  return {
    get: (cacheKey) => send('get', cacheKey, () => cache.get(cacheKey)),
    set: (cacheKey, text, ttlMs) => send('set', cacheKey, () => cache.set(cacheKey, text, ttlMs)),
    expire: (cacheKey, ttlMs) => send('expire', cacheKey, () => cache.expire(cacheKey, ttlMs)),
  };
}
