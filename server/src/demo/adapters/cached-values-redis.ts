import type { Redis } from 'ioredis';
import { decodeEntry, type ValueEntry } from '@lockstep/shared';
import { keyFromCacheKey, LockstepError, type Key, type Resource } from '../../domain/index.ts';
import { openRedis } from '../../redis/index.ts';
import type { Log } from '../../runtime/index.ts';
import persistLua from './persist-if-unchanged.lua?raw';
import replaceLua from './replace-if-unchanged.lua?raw';

/** A row's value as it is cached now. */
export interface CachedValue {
  key: Key;
  text: string;
  entry: ValueEntry;
  ttlMs: number;
  /** Since anyone last touched it, in seconds. */
  idleSeconds: number;
}

const SCAN_COUNT = 500;
/** Entries looked at for one request; enough for the demo's tables. */
const MAX_SCANNED = 5_000;

/** Writes to the cache as a program would that knows nothing of Lockstep. A write intent is never touched. */
export class CachedValues {
  readonly #client: Redis;

  constructor(url: string, log: Log) {
    this.#client = openRedis(url, {
      lazyConnect: true,
      connectTimeout: 1_000,
      commandTimeout: 2_000,
      maxRetriesPerRequest: 0,
    });
    this.#client.on('error', (error: Error) => log.debug({ err: error }, 'demo: cache connection'));
  }

  /** Values of the resource, the quiet ones first: those written least often, among them those untouched longest. */
  async list(resource: Resource): Promise<CachedValue[]> {
    const names = await this.#names(resource.cacheKey.prefix);
    const values: CachedValue[] = [];
    for (let at = 0; at < names.length; at += SCAN_COUNT) {
      values.push(...(await this.#read(resource, names.slice(at, at + SCAN_COUNT))));
    }
    return values.sort(
      (a, b) => a.entry.version - b.entry.version || b.idleSeconds - a.idleSeconds,
    );
  }

  /** @returns false where the entry has changed meanwhile */
  replace(value: CachedValue, text: string): Promise<boolean> {
    return this.#ask(async (client) => {
      const answer = await client.eval(replaceLua, 1, value.key.cacheKey, value.text, text);
      return answer === 1;
    });
  }

  /** @returns false where the entry has changed meanwhile */
  persist(value: CachedValue): Promise<boolean> {
    return this.#ask(async (client) => {
      const answer = await client.eval(persistLua, 1, value.key.cacheKey, value.text);
      return answer === 1;
    });
  }

  /** @returns false where something is cached there already */
  add(key: Key, text: string, ttlMs: number): Promise<boolean> {
    return this.#ask(
      async (client) => (await client.set(key.cacheKey, text, 'PX', ttlMs, 'NX')) === 'OK',
    );
  }

  close(): void {
    this.#client.disconnect();
  }

  async #names(prefix: string): Promise<string[]> {
    const pattern = `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*`;
    const names = new Set<string>();
    let cursor = '0';
    do {
      const [next, page] = await this.#ask((client) =>
        client.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT),
      );
      for (const name of page) names.add(name);
      cursor = next;
    } while (cursor !== '0' && names.size < MAX_SCANNED);
    return [...names];
  }

  async #read(resource: Resource, names: readonly string[]): Promise<CachedValue[]> {
    const answers = await this.#ask((client) => {
      const pipeline = client.pipeline();
      for (const name of names) {
        // The idle time first: reading an entry makes it young again.
        pipeline.object('IDLETIME', name);
        pipeline.pttl(name);
        pipeline.get(name);
      }
      return pipeline.exec();
    });
    return names.flatMap((name, index) => {
      const [idle, ttl, text] = [0, 1, 2].map((part) => answers?.[index * 3 + part]?.[1]);
      const key = keyFromCacheKey(resource, name);
      if (key === null || typeof text !== 'string' || typeof ttl !== 'number' || ttl < 0) return [];
      const entry = decodeEntry(text);
      if (entry.state !== 'value' || entry.row === null) return [];
      // No idle time is known where the server evicts by frequency.
      return [{ key, text, entry, ttlMs: ttl, idleSeconds: typeof idle === 'number' ? idle : 0 }];
    });
  }

  async #ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    try {
      return await command(this.#client);
    } catch (cause) {
      throw new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.', { cause });
    }
  }
}
