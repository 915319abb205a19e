import type { EntryStore, Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';
import type { Log } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';

/** How many intents are checked at once. The sweeper finds the others. */
const MAX_CHECKS = 100;

interface AbandonedIntentsOptions {
  cache: EntryStore;
  recovery: RecoveryService;
  /** The writer of an older intent has lost its lock. */
  lockTtlMs: number;
  log: Log;
}

/**
 * Readers report each write intent that they meet. If it is older than the lock's TTL, by the cache's own clock, it is
 * recovered in the background; the reader does not wait. Two recoveries at once are safe, since safety rests on the
 * fence; the second one is merely wasted work.
 */
export class AbandonedIntents {
  readonly #options: AbandonedIntentsOptions;
  readonly #checking = new Set<string>();

  constructor(options: AbandonedIntentsOptions) {
    this.#options = options;
  }

  met(key: Key, intent: Intent): void {
    if (this.#checking.has(key.cacheKey) || this.#checking.size >= MAX_CHECKS) return;
    this.#checking.add(key.cacheKey);
    this.#check(key, intent)
      .catch((error: unknown) =>
        this.#options.log.debug(
          { err: error, resource: key.resource.name },
          'an abandoned intent stays for the sweeper',
        ),
      )
      .finally(() => this.#checking.delete(key.cacheKey));
  }

  async #check(key: Key, intent: Intent): Promise<void> {
    const { cache, recovery, lockTtlMs } = this.#options;
    const ageMs = await cache.intentAgeMs(key.cacheKey, intent);
    if (ageMs !== null && ageMs > lockTtlMs) await recovery.recover(key, 'reader');
  }
}
