import { encodeEntry, isJsonObject, parseJson } from '@lockstep/shared';
import type { CachePort, EntryReads, ReadLeases } from '../../client/src/ports.ts';
import type { CacheBackDoor } from './back-door.ts';
import type { ClientControl } from './names.ts';
import { over } from './over.ts';

/** The client's port of the cache with one protection broken; everything else stays whole. */
export function breakClient(
  control: ClientControl,
  cache: CachePort,
  backDoor: CacheBackDoor,
): CachePort {
  switch (control) {
    case 'direct-read-ignores-intent':
      return { ...cache, reads: lookBesideIntents(cache.reads) };
    case 'blind-computed-fill':
      return { ...cache, leases: fillBlindly(cache.leases, backDoor) };
  }
}

const VALUE = '{"s":"value"';
const INTENT = '{"s":"intent"';

/** Where an intent hides a value, the value that was read there last is answered (RP3 broken). */
function lookBesideIntents(reads: EntryReads): EntryReads {
  const last = new Map<string, string>();
  return {
    maxKeys: reads.maxKeys,
    add: (reader) => {
      const { cacheKeys, needsLife } = reader;
      reads.add({
        cacheKeys,
        ...(needsLife === undefined ? {} : { needsLife }),
        entriesRead: (texts, from, leftMs) => {
          const seen = cacheKeys.map((cacheKey, at) => {
            const text = texts[from + at];
            if (text?.startsWith(VALUE) === true) last.set(cacheKey, text);
            const isHidden = text?.startsWith(INTENT) === true;
            return isHidden ? (last.get(cacheKey) ?? text) : text;
          });
          reader.entriesRead(seen, 0, leftMs);
        },
      });
    },
  };
}

/** A loader's answer replaces whatever is there (RP12 broken). */
function fillBlindly(leases: ReadLeases, backDoor: CacheBackDoor): ReadLeases {
  return over(leases, {
    fill: async ({ cacheKey, owner }, _leaseId, { body, ttlMs, graceMs }) => {
      const row = parseJson(body);
      const text = encodeEntry({
        ...{ state: 'value', version: 0, fence: 0, writtenAtMs: 0, owner },
        row: isJsonObject(row) ? row : null,
        ...(graceMs > 0 ? { graceMs } : {}),
      });
      try {
        await backDoor.set(cacheKey, text, ttlMs + graceMs);
        return 'filled';
      } catch {
        return 'failed';
      }
    },
  });
}
