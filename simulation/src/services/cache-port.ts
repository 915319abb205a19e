/** The cache as a service's client sees it: each read and each step of a read lease is sent. */
import { isJsonObject, parseJson, type Row } from '@lockstep/shared';
import type { CachePort } from '../../../client/src/ports.ts';
import type { MemoryCache } from '../servers/memory-cache.ts';
import type { CacheLink } from '../world/cache-link.ts';

/** As PTTL answers for an entry without an expiry. */
const FOR_EVER = -1;
const MAX_KEYS = 256;

export function cachePortOn(cache: MemoryCache, link: Pick<CacheLink, 'isUp' | 'send'>): CachePort {
  /** Null: no answer. */
  const step = <T>(name: string, cacheKey: string, run: () => T): Promise<T | null> =>
    link.send(name, cacheKey, run).catch(() => null);
  return {
    connection: {
      get isUp() {
        return link.isUp;
      },
    },
    reads: {
      maxKeys: MAX_KEYS,
      add: (reader) => {
        const { cacheKeys, needsLife } = reader;
        const [first = ''] = cacheKeys;
        const asked = link.send('get', first, () => ({
          texts: cacheKeys.map((cacheKey) => cache.get(cacheKey)),
          leftMs: cache.ttlMs(first) ?? FOR_EVER,
        }));
        asked.then(
          ({ texts, leftMs }) =>
            needsLife === true
              ? reader.entriesRead(texts, 0, leftMs)
              : reader.entriesRead(texts, 0),
          () => reader.entriesRead([], 0),
        );
      },
    },
    leases: {
      take: async ({ cacheKey }, leaseId, ttlMs) => {
        const attempt = await step('take-lease', cacheKey, () =>
          cache.leaseOrRead(cacheKey, leaseId, ttlMs),
        );
        return attempt && attempt.state === 'leased';
      },
      takeOver: async ({ cacheKey }, leaseId, ttlMs, dueMs) => {
        const reply = await step('take-lease-over', cacheKey, () =>
          cache.leaseRefresh(cacheKey, leaseId, ttlMs, dueMs),
        );
        return reply && reply === 'leased';
      },
      fill: async ({ cacheKey }, leaseId, { body, ttlMs, graceMs }) => {
        const value = { version: 0, row: rowIn(body), ttlMs: ttlMs + graceMs, graceMs };
        const isFilled = await step('fill', cacheKey, () => cache.fill(cacheKey, leaseId, value));
        if (isFilled === null) return 'failed';
        return isFilled ? 'filled' : 'refused';
      },
      drop: async ({ cacheKey }, leaseId) => {
        await step('drop-lease', cacheKey, () => cache.dropLease(cacheKey, leaseId));
      },
    },
  };
}

/** The row in an entry's body. */
export function rowIn(body: string): Row | null {
  const row = parseJson(body);
  return isJsonObject(row) ? row : null;
}
