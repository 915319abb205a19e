/**
 * Recovery: a strict write that changes nothing. It takes the key's lock, replaces the abandoned intent by its own,
 * raises the fence in the database so that the paused owner can no longer commit, reads the row and publishes it.
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

export interface RecoveryParts {
  cache: EntryStore;
  rows: RowStore;
  locks: LockService;
  telemetry: Telemetry;
  runtime: Runtime;
}

export class Recovery implements RecoveryService, WriterRecovery {
  readonly #parts: RecoveryParts;
  /** One recovery of a key at a time in this process. */
  readonly #running = new Map<string, Promise<{ version: number }>>();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
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

  /** Every strict entry of the row. */
  recoverSoon(key: Key): void {
    const { log } = this.#parts.runtime;
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
    // One after the other: each stores its fence above the one before.
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
    const lock = await this.#parts.locks.acquire(key, {
      purpose: by === 'audit' ? 'repair' : 'recovery',
    });
    try {
      const settled = by === 'audit' ? null : await this.#settledMeanwhile(key);
      if (settled !== null) return settled;
      const { intent, row } = await this.#takeOver(key, lock);
      await this.#publish(key, intent, row, leave);
      this.#parts.telemetry.emit({ type: 'intent-recovered', key, by, version: row.version });
      return { version: row.version };
    } finally {
      lock.release();
    }
  }

  /** The entry's version where its owner, or another recovery, removed the intent while this one waited for the lock. */
  async #settledMeanwhile(key: Key): Promise<{ version: number } | null> {
    const stored = await this.#parts.cache.read(key.cacheKey);
    if (stored?.entry.state === 'intent') return null;
    const entry = stored?.entry;
    return { version: entry === undefined || entry.state === 'corrupt' ? 0 : entry.version };
  }

  async #takeOver(key: Key, lock: HeldLock): Promise<{ intent: Intent; row: VersionedRow }> {
    const { cache, rows, runtime } = this.#parts;
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
    const { cache, runtime } = this.#parts;
    const ttlMs = valueTtlMs(key.resource, row, runtime.random.next());
    const asValue = leave === 'value' && key.resource.onWrite === 'set';
    const tagged = tag === undefined || row === null ? {} : { tag };
    const value = asValue ? { version, row, ttlMs, ...tagged } : null;
    await cache.publish(key.cacheKey, intent, version, value);
  }
}
