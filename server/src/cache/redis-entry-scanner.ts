import { isRedisReply } from '../redis/index.ts';
import type { EntryScanner, ScanPage } from './port.ts';
import type { CacheConnection } from './redis-connection.ts';

const RANDOM_BATCH = 200;
/** How many random keys may be drawn for each wanted one, before scans supply the rest. */
const RANDOM_TRIES_PER_KEY = 4;
const SCAN_COUNT = 500;
const MAX_SAMPLE_SCANS = 40;

/** SCAN returns every key, also those that this user may not touch. Such keys are not Lockstep's, and count as gone. */
function goneWhereForbidden(error: unknown): number {
  if (isRedisReply(error) && /^NOPERM.* access .*key/.test(error.message)) return -2;
  throw error;
}

/** Sweeps and samples of the cache's keys by `SCAN` and `RANDOMKEY`. */
export class RedisEntryScanner implements EntryScanner {
  readonly #connection: CacheConnection;

  constructor(connection: CacheConnection) {
    this.#connection = connection;
  }

  async scan(cursor: string | null, count: number): Promise<ScanPage> {
    const [next, names] = await this.#connection.run((client) =>
      client.scan(cursor ?? '0', 'COUNT', count),
    );
    const ttls = await this.#connection.run((client) =>
      Promise.all(names.map((name) => client.pttl(name).catch(goneWhereForbidden))),
    );
    const keys = names.flatMap((cacheKey, index) => {
      const ttlMs = ttls[index] ?? -2;
      return ttlMs === -2 ? [] : [{ cacheKey, ttlMs: ttlMs === -1 ? null : ttlMs }];
    });
    return { next: next === '0' ? null : next, keys };
  }

  async sample(prefix: string, count: number): Promise<string[]> {
    const found = new Set<string>();
    for (
      let drawn = 0;
      drawn < count * RANDOM_TRIES_PER_KEY && found.size < count;
      drawn += RANDOM_BATCH
    ) {
      for (const name of await this.#randomKeys()) {
        if (name?.startsWith(prefix) === true && found.size < count) found.add(name);
      }
    }
    if (found.size < count) await this.#scanInto(found, prefix, count);
    return [...found];
  }

  #randomKeys(): Promise<(string | null)[]> {
    return this.#connection.run((client) =>
      Promise.all(Array.from({ length: RANDOM_BATCH }, () => client.randomkey())),
    );
  }

  async #scanInto(found: Set<string>, prefix: string, count: number): Promise<void> {
    const pattern = `${prefix.replace(/[*?[\]\\^-]/g, '\\$&')}*`;
    let cursor = '0';
    for (let page = 0; page < MAX_SAMPLE_SCANS && found.size < count; page += 1) {
      const [next, names] = await this.#connection.run((client) =>
        client.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT),
      );
      for (const name of names) if (found.size < count) found.add(name);
      if (next === '0') return;
      cursor = next;
    }
  }
}
