import type { EntryStore, Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';
import type { Log } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';

/** Looks under way at once; more are left to the sweeper. */
const MAX_LOOKS = 100;

interface Options {
  cache: EntryStore;
  recovery: RecoveryService;
  /** An intent older than this has lost its writer's lock. */
  lockTtlMs: number;
  log: Log;
}

/**
 * Readers that meet a write intent report it here. An intent older than the lock's TTL, by the cache's own clock, is
 * recovered in the background; the reader does not wait. Two early recoveries at once are safe, only wasteful: safety
 * rests on the fence.
 */
export class AbandonedIntents {
  readonly #options: Options;
  readonly #looks = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** A reader met this intent. */
  met(key: Key, intent: Intent): void {
    if (this.#looks.has(key.cacheKey) || this.#looks.size >= MAX_LOOKS) return;
    this.#looks.add(key.cacheKey);
    this.#look(key, intent)
      .catch((error: unknown) =>
        this.#options.log.debug(
          { err: error, resource: key.resource.name },
          'an abandoned intent stays for the sweeper',
        ),
      )
      .finally(() => this.#looks.delete(key.cacheKey));
  }

  async #look(key: Key, intent: Intent): Promise<void> {
    const { cache, recovery, lockTtlMs } = this.#options;
    const ageMs = await cache.intentAgeMs(key.cacheKey, intent);
    if (ageMs !== null && ageMs > lockTtlMs) await recovery.recover(key, 'reader');
  }
}
