import { Redis } from 'ioredis';
import { decodeEntry } from '../../../shared/src/entry.ts';
import { CACHE_TIMEOUT_MS } from '../contender.ts';

/**
 * Reads of a service that reads the cache itself. A value is the answer; for anything else (nothing, a lease, an
 * intent, a tombstone, a failure of the cache) it asks the coordinator.
 */
export class DirectReads {
  readonly #cache: Redis;
  readonly #table: string;

  constructor(cacheUrl: string, table: string) {
    this.#table = table;
    this.#cache = new Redis(cacheUrl, {
      enableAutoPipelining: true,
      commandTimeout: CACHE_TIMEOUT_MS,
      retryStrategy: () => 50,
    });
    this.#cache.on('error', () => undefined); // it reconnects; failed commands report errors themselves
  }

  /** The row's count of writes; null if the coordinator must be asked. */
  async read(key: number): Promise<number | null> {
    const text = await this.#cache.get(`${this.#table}:${key}`).catch(() => null);
    if (text === null) return null;
    const entry = decodeEntry(text);
    return entry.state === 'value' && entry.row !== null ? Number(entry.row.n) : null;
  }

  close(): void {
    this.#cache.disconnect();
  }
}
