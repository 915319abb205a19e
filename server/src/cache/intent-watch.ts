/**
 * Watches the write intents that the sweeper has met, and recovers those that are abandoned.
 *
 * States of a watched intent
 *   young        not yet older than the lock's TTL; checked again when it is
 *   recovering   its recovery runs
 *   (gone)       published, withdrawn or replaced by its owner, or recovered
 * If a recovery fails (a live writer holds the lock, the database is away), the intent is `young` again, with backoff.
 *
 * Invariants
 *   - at most MAX_WATCHED intents are watched and at most WIDTH worked on at a time; a later sweep meets the others
 *     again
 *   - an intent is recovered only when it is older than the lock's TTL by the cache's own clock
 */
import type { Key } from '../domain/index.ts';
import { toLockstepError } from '../domain/index.ts';
import { type BackoffOptions, backoffMs } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';
import type { EntryStore, Intent } from './port.ts';

const MAX_WATCHED = 20_000;
const WIDTH = 8;
/** Added to the time until an intent is old enough, so that the second check does not come a moment too early. */
const MARGIN_MS = 20;
const RETRY: BackoffOptions = { minMs: 200, maxMs: 2_000, jitter: 'equal' };

interface Watched {
  key: Key;
  intent: Intent;
  dueAtMs: number;
  failures: number;
}

export interface IntentWatchOptions {
  entries: Pick<EntryStore, 'intentAgeMs'>;
  recovery: RecoveryService;
  lockTtlMs: number;
  runtime: Runtime;
}

export class IntentWatch {
  readonly #options: IntentWatchOptions;
  readonly #onDone: () => void;
  /** By cache key. */
  readonly #watched = new Map<string, Watched>();
  readonly #working = new Map<string, Promise<void>>();

  /** @param onDone called when there is room for another recovery */
  constructor(options: IntentWatchOptions, onDone: () => void) {
    this.#options = options;
    this.#onDone = onDone;
  }

  /** Watches an intent. The next `work` asks for its age. Nothing changes for an intent that is watched already. */
  note(key: Key, intent: Intent): void {
    const known = this.#watched.get(key.cacheKey);
    if (isSame(known?.intent, intent) || this.#working.has(key.cacheKey)) return;
    if (known === undefined && this.#watched.size >= MAX_WATCHED) return;
    const dueAtMs = this.#options.runtime.clock.nowMs();
    this.#watched.set(key.cacheKey, { key, intent, dueAtMs, failures: 0 });
  }

  /** When the next intent is due, on the monotonic clock; null if none is watched. */
  nextDueAtMs(): number | null {
    let nextMs: number | null = null;
    for (const { dueAtMs } of this.#watched.values()) {
      if (nextMs === null || dueAtMs < nextMs) nextMs = dueAtMs;
    }
    return nextMs;
  }

  /** Starts on the intents that are due, as far as the width allows. Returns at once. */
  work(): void {
    const nowMs = this.#options.runtime.clock.nowMs();
    for (const [cacheKey, watched] of this.#watched) {
      if (this.#working.size >= WIDTH) return;
      if (watched.dueAtMs > nowMs || this.#working.has(cacheKey)) continue;
      this.#watched.delete(cacheKey);
      const work = this.#look(watched).finally(() => {
        this.#working.delete(cacheKey);
        this.#onDone();
      });
      this.#working.set(cacheKey, work);
    }
  }

  /** Whether no further intent is worked on until one is done. */
  get isFull(): boolean {
    return this.#working.size >= WIDTH;
  }

  /** Resolves when nothing is being worked on. */
  async idle(): Promise<void> {
    await Promise.all(this.#working.values());
  }

  async #look(watched: Watched): Promise<void> {
    const { entries, recovery, lockTtlMs, runtime } = this.#options;
    const { key, intent } = watched;
    try {
      const ageMs = await entries.intentAgeMs(key.cacheKey, intent);
      if (ageMs === null) return;
      if (ageMs < lockTtlMs) return this.#again(watched, lockTtlMs - ageMs + MARGIN_MS);
      await recovery.recover(key, 'sweeper');
      runtime.log.info({ resource: key.resource.name, ageMs }, 'an abandoned intent was recovered');
    } catch (error) {
      const { code, message } = toLockstepError(error);
      runtime.log.debug({ err: error, code, message }, 'an intent could not be recovered yet');
      this.#again(watched, backoffMs(RETRY, watched.failures, runtime.random.next()));
      watched.failures += 1;
    }
  }

  #again(watched: Watched, delayMs: number): void {
    watched.dueAtMs = this.#options.runtime.clock.nowMs() + delayMs;
    this.#watched.set(watched.key.cacheKey, watched);
  }
}

const isSame = (known: Intent | undefined, { intentId, fence }: Intent): boolean =>
  known?.intentId === intentId && known.fence === fence;
