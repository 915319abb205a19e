/** Looks at a part of the keys of a Redis that other programs fill. Changes nothing there. */
import { lookAtRedis } from '../checks/index.ts';

/** The most keys that are looked at, and the longest that they are looked for. */
export const MOST_KEYS = 10_000;
export const MOST_MS = 5_000;
const PAGE_KEYS = 500;
/** Longer values are not read. */
const MOST_BYTES = 65_536;

export interface SampledKey {
  name: string;
  /** What Redis says: `string`, `hash`, … */
  kind: string;
  /** What is left of its life; null: it has no expiry. */
  ttlMs: number | null;
}

export interface KeySample {
  keys: SampledKey[];
  /** How many keys the server has. */
  total: number;
}

/**
 * Names, kinds and lives of keys, by steps of `SCAN`.
 * @throws the driver's error if the server does not answer or refuses
 */
export function sampleRedisKeys(url: string): Promise<KeySample> {
  return lookAtRedis(url, async (client) => {
    const untilMs = performance.now() + MOST_MS;
    const keys = new Map<string, SampledKey>();
    const total = await client.dbsize();
    let cursor = '0';
    do {
      const [next, names] = await client.scan(cursor, 'COUNT', PAGE_KEYS);
      const found = await Promise.all(
        names.map(async (name) => ({
          name,
          kind: await client.type(name),
          ttl: await client.pttl(name),
        })),
      );
      for (const { name, kind, ttl } of found) {
        if (ttl !== -2) keys.set(name, { name, kind, ttlMs: ttl === -1 ? null : ttl });
      }
      cursor = next;
    } while (cursor !== '0' && keys.size < MOST_KEYS && performance.now() < untilMs);
    return { keys: [...keys.values()], total };
  });
}

/**
 * The texts of keys of the kind `string`, in order; null for one that is gone, or too long.
 * @throws as `sampleRedisKeys`
 */
export function readRedisTexts(url: string, names: readonly string[]): Promise<(string | null)[]> {
  return lookAtRedis(url, (client) =>
    Promise.all(
      names.map(async (name) =>
        (await client.strlen(name)) > MOST_BYTES ? null : client.get(name),
      ),
    ),
  );
}
