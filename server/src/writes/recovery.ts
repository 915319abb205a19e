/**
 * Recovery is a strict write that changes nothing. It acquires the key's lock, replaces the abandoned intent by its own,
 * raises the fence in the database so that the paused owner can no longer commit, reads the row, and publishes it.
 */
import {
  LockstepError,
  type Key,
  strictKeys,
  type Telemetry,
  valueTtlMs,
} from '../domain/index.ts';
import type { EntryStore, Intent } from '../cache/port.ts';
import type { RowStore, VersionedRow } from '../database/port.ts';
import type { LockService, HeldLock } from '../locks/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RecoveryService, WriterRecovery } from './port.ts';

const MAX_MINTS = 3;

type Recoverer = Parameters<RecoveryService['recover']>[1];

export interface RecoveryOptions {
  cache: EntryStore;
  rows: RowStore;
  locks: LockService;
  telemetry: Telemetry;
  runtime: Runtime;
}

export class Recovery implements RecoveryService, WriterRecovery {
  readonly #options: RecoveryOptions;
  /** By cache key. This process runs one recovery of a key at a time, and its callers share it. */
  readonly #running = new Map<string, Promise<{ version: number }>>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  recover(
    key: Key,
    by: Recoverer,
    leave: 'value' | 'tombstone' = 'value',
  ): Promise<{ version: number }> {
    const running = this.#running.get(key.cacheKey);
    if (running !== undefined) return running;
    const recovering = this.#recover(key, by, leave).finally(() =>
      this.#running.delete(key.cacheKey),
    );
    this.#running.set(key.cacheKey, recovering);
    return recovering;
  }

  /** Recovers every strict entry of the row. */
  recoverSoon(key: Key): void {
    const { log } = this.#options.runtime;
    for (const entry of strictKeys(key)) {
      this.recover(entry, 'writer').catch((error: unknown) => {
        const { name: resource } = entry.resource;
        log.debug({ err: error, resource }, 'an intent stays for the sweeper');
      });
    }
  }

  /**
   * Under a lock that the caller holds: no earlier holder can commit any more, and no intent of one is left.
   * @returns the fence that the database has for the row then
   */
  async takeOver(key: Key, lock: HeldLock): Promise<{ fence: number }> {
    let fence = 0;
    // One after the other, since each stores a fence above the previous one.
    for (const entry of strictKeys(key)) {
      const { intent, row } = await this.#takeOver(entry, lock);
      await this.#publish(entry, intent, row, 'value');
      fence = intent.fence;
    }
    return { fence };
  }

  async #recover(
    key: Key,
    by: Recoverer,
    leave: 'value' | 'tombstone',
  ): Promise<{ version: number }> {
    const lock = await this.#options.locks.acquire(key, {
      purpose: by === 'audit' ? 'repair' : 'recovery',
    });
    try {
      const resolved = by === 'audit' ? null : await this.#resolvedMeanwhile(key);
      if (resolved !== null) return resolved;
      const { intent, row } = await this.#takeOver(key, lock);
      await this.#publish(key, intent, row, leave);
      this.#options.telemetry.emit({ type: 'intent-recovered', key, by, version: row.version });
      return { version: row.version };
    } finally {
      lock.release();
    }
  }

  /** The entry's version, if its owner or another recovery removed the intent while this one waited; else null. */
  async #resolvedMeanwhile(key: Key): Promise<{ version: number } | null> {
    const stored = await this.#options.cache.read(key.cacheKey);
    if (stored?.entry.state === 'intent') return null;
    const entry = stored?.entry;
    return { version: entry === undefined || entry.state === 'corrupt' ? 0 : entry.version };
  }

  async #takeOver(key: Key, lock: HeldLock): Promise<{ intent: Intent; row: VersionedRow }> {
    const { cache, rows, runtime } = this.#options;
    let aboveFence = 0;
    for (let mint = 0; mint < MAX_MINTS; mint += 1) {
      lock.assertHeld();
      const intent = await cache.placeIntent(key.cacheKey, runtime.ids.next(), aboveFence);
      lock.noteFence(intent.fence);
      const raised = await rows.raiseFence(key, intent.fence);
      if (raised.status === 'raised') return { intent, row: raised.row };
      aboveFence = raised.storedFence;
    }
    throw new LockstepError('FENCED', 'The database has seen a newer holder of this key.');
  }

  async #publish(
    key: Key,
    intent: Intent,
    { version, row, tag }: VersionedRow,
    leave: 'value' | 'tombstone',
  ): Promise<void> {
    const { cache, runtime } = this.#options;
    const ttlMs = valueTtlMs(key.resource, row, runtime.random.next());
    const asValue = leave === 'value' && key.resource.onWrite === 'set';
    const tagged = tag === undefined || row === null ? {} : { tag };
    const value = asValue ? { version, row, ttlMs, ...tagged } : null;
    await cache.publish(key.cacheKey, intent, version, value);
  }
}
