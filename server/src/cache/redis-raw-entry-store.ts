/**
 * Entries of `format: raw`: plain JSON of the row, which programs that know nothing of Lockstep read and fill too.
 *
 * States of an entry: absent, value (also one that another program put there). There are no leases and no tombstones,
 * so nothing keeps a slow reader from putting back an old row after a delete: what bounds that is the TTL, the second
 * delete of `delayed-double-delete`, and audits. There are no intents either: `strict` cannot be raw.
 */
import { decodeRawEntry, jsonText } from '@lockstep/shared';
import { LockstepError } from '../domain/index.ts';
import type { Timers } from '../runtime/index.ts';
import { invalidateEach } from './invalidate-each.ts';
import type { EntryStore, LeaseAttempt, PublishedValue, StoredEntry } from './port.ts';
import type { CacheConnection } from './redis-connection.ts';
import { RedisEntrySteps } from './redis-entry-steps.ts';
import { entryText, remainingLifeMs } from './redis-entry-text.ts';
import { STEPS } from './scripts.ts';

export class RedisRawEntryStore implements EntryStore {
  readonly #connection: CacheConnection;
  readonly #steps: RedisEntrySteps;

  constructor(connection: CacheConnection, timers: Pick<Timers, 'soon'>) {
    this.#connection = connection;
    this.#steps = new RedisEntrySteps(connection, timers);
  }

  get available(): boolean {
    return this.#connection.up;
  }

  async read(cacheKey: string): Promise<StoredEntry | null> {
    return storedRaw(await entryText(this.#connection, cacheKey));
  }

  readMany(cacheKeys: readonly string[]): Promise<(StoredEntry | null)[]> {
    return Promise.all(cacheKeys.map((cacheKey) => this.read(cacheKey)));
  }

  /** Leaves nothing: every reader that misses may fill. */
  async leaseOrRead(cacheKey: string): Promise<LeaseAttempt> {
    const stored = await this.read(cacheKey);
    return stored?.entry.state === 'value'
      ? { state: 'found', stored }
      : { state: 'leased', leastVersion: 0 };
  }

  /** The absence of a row is not cached: what readers that know nothing of Lockstep make of `null` is not known. */
  async fill(
    cacheKey: string,
    _leaseId: string,
    { row, ttlMs }: PublishedValue,
  ): Promise<'filled' | 'refused'> {
    if (row === null) return 'refused';
    const text = jsonText(row);
    await this.#connection.run((client) => client.set(cacheKey, text, 'PX', ttlMs));
    return 'filled';
  }

  async invalidate(cacheKey: string): Promise<'invalidated'> {
    await this.#connection.run((client) => client.unlink(cacheKey));
    return 'invalidated';
  }

  invalidateMany(
    items: readonly { cacheKey: string; version: number | null }[],
  ): Promise<('fresh' | 'invalidated' | Error)[]> {
    return invalidateEach(items, ({ cacheKey }) => this.invalidate(cacheKey));
  }

  async invalidateIfUnchanged(cacheKey: string, text: string): Promise<boolean> {
    return (await this.#steps.run(STEPS.unlinkIfUnchanged, cacheKey, [text])) === 1;
  }

  ttlMs(cacheKey: string): Promise<number | null | undefined> {
    return remainingLifeMs(this.#connection, cacheKey);
  }

  placeIntent(): Promise<never> {
    return Promise.reject(noIntents());
  }

  publish(): Promise<never> {
    return Promise.reject(noIntents());
  }

  withdrawIntent(): Promise<never> {
    return Promise.reject(noIntents());
  }

  intentAgeMs(): Promise<null> {
    return Promise.resolve(null);
  }
}

function storedRaw(text: string | null): StoredEntry | null {
  if (text === null) return null;
  const entry = decodeRawEntry(text);
  if (entry.state === 'corrupt') return { entry, text, isRaw: true };
  return { entry: { ...entry, version: 0, fence: 0, writtenAtMs: 0 }, text, isRaw: true };
}

const noIntents = (): LockstepError =>
  new LockstepError('INTERNAL', 'A raw entry has no write intent.');
