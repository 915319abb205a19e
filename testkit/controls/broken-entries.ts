import { encodeEntry } from '@lockstep/shared';
import type { EntryStore, PublishedValue } from '../../server/src/cache/port.ts';
import type { Runtime } from '../../server/src/runtime/index.ts';
import type { BackDoor, CacheBackDoor } from './back-door.ts';
import { over } from './over.ts';

interface Tools {
  backDoor: BackDoor;
  runtime: Runtime;
}

/** Shorter than a slow transaction, longer than a quick round trip. */
const INTENT_TTL_MS = 10;
const TOMBSTONE_TTL_MS = 60_000;
/** How long after its acknowledgement a write reaches the cache. */
const LATE_MS = 30;

/** A write intent is never put: only a fence is minted (W1 broken). */
export function skipIntents(entries: EntryStore, { clock }: Pick<Runtime, 'clock'>): EntryStore {
  let last = 0;
  return over(entries, {
    placeIntent: (_cacheKey, intentId, aboveFence, fences = 1) => {
      last = Math.max(last, aboveFence, Math.floor(clock.wallMs() * 1000)) + fences;
      return Promise.resolve({ intentId, fence: last });
    },
  });
}

/** An intent goes after a short while, also when its transaction has not ended (E3 broken). */
export function letIntentsExpire(entries: EntryStore, cache: CacheBackDoor): EntryStore {
  return over(entries, {
    placeIntent: async (...asked) => {
      const [cacheKey] = asked;
      const placed = await entries.placeIntent(...asked);
      await cache.expire(cacheKey, INTENT_TTL_MS);
      return placed;
    },
  });
}

/** Every reader that misses may fill, and its fill replaces whatever is there (E1, E2 broken). */
export function fillBlindly(entries: EntryStore, tools: Tools): EntryStore {
  return over(entries, {
    leaseOrRead: async (cacheKey, leaseId) => {
      const attempt = await entries.leaseOrRead(cacheKey, leaseId);
      return attempt.state === 'busy' ? { ...attempt, state: 'leased' } : attempt;
    },
    fill: async (cacheKey, _leaseId, value) => {
      await setValue(tools, cacheKey, 0, value);
      return 'filled';
    },
  });
}

/** A publish replaces whatever is there: a newer value, or another holder's intent (E5 broken). */
export function publishBlindly(entries: EntryStore, tools: Tools): EntryStore {
  return over(entries, {
    publish: async (cacheKey, { fence }, version, value) => {
      if (value !== null) {
        await setValue(tools, cacheKey, fence, value);
        return 'fresh';
      }
      const writtenAtMs = Math.floor(tools.runtime.clock.wallMs());
      const text = encodeEntry({ state: 'tombstone', version, fence, writtenAtMs });
      await tools.backDoor.cache.set(cacheKey, text, TOMBSTONE_TTL_MS);
      return 'invalidated';
    },
  });
}

/** The cache step of a write is answered before it is done (W9 broken). */
export function acknowledgeBeforePublish(
  entries: EntryStore,
  { timers, log }: Pick<Runtime, 'timers' | 'log'>,
): EntryStore {
  const later = (step: () => Promise<unknown>): void => {
    timers.after(LATE_MS, () => {
      step().catch((error: unknown) => log.debug({ err: error }, 'a late cache step failed'));
    });
  };
  return over(entries, {
    publish: (cacheKey, intent, version, value) => {
      later(() => entries.publish(cacheKey, intent, version, value));
      return Promise.resolve(value === null ? 'invalidated' : 'fresh');
    },
    invalidate: (cacheKey, version) => {
      later(() => entries.invalidate(cacheKey, version));
      return Promise.resolve('invalidated');
    },
    invalidateMany: (items) => {
      later(() => entries.invalidateMany(items));
      return Promise.resolve(items.map(() => 'invalidated' as const));
    },
  });
}

function setValue(
  { backDoor, runtime }: Tools,
  cacheKey: string,
  fence: number,
  { version, row, ttlMs }: PublishedValue,
): Promise<void> {
  const writtenAtMs = Math.floor(runtime.clock.wallMs());
  const text = encodeEntry({ state: 'value', version, fence, writtenAtMs, row });
  return backDoor.cache.set(cacheKey, text, ttlMs);
}
