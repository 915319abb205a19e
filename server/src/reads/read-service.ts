/**
 * Reads through the cache (docs/SPEC.md, section "Read").
 *
 * What a read meets decides what it does:
 *   value            answers it
 *   intent           reads the primary, fills nothing
 *   nothing,
 *   a tombstone      leaves a lease, reads the primary, fills only under that lease
 *   another's lease  reads the primary, fills nothing
 * A cache that does not answer is as good as none: the primary answers.
 */
import type { EntryStore, LeaseAttempt, StoredEntry } from '../cache/port.ts';
import type { RowStore, VersionedRow } from '../database/port.ts';
import {
  type Key,
  LockstepError,
  type Resource,
  type Telemetry,
  toLockstepError,
  valueTtlMs,
} from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { AbandonedIntents } from './abandoned-intents.ts';
import { Flights, type ReadFlights } from './flights.ts';
import type { ReadAnswer, ReadOptions, ReadService } from './port.ts';

export interface ReadServiceParts {
  cache: EntryStore;
  rows: RowStore;
  abandoned: AbandonedIntents;
  /** `strict.verifyIntent`: a strict key is read for a fill only when no write of it is about to commit. */
  verifyIntent?: boolean;
  /** Default: flights of its own. */
  flights?: ReadFlights<ReadAnswer>;
  /** Whether the resource's entries may be read and filled now; absent: always. */
  isCacheable?: (resource: Resource) => boolean;
  telemetry: Telemetry;
  runtime: Runtime;
}

export class CachedReadService implements ReadService {
  readonly #parts: ReadServiceParts;
  readonly #flights: ReadFlights<ReadAnswer>;

  constructor(parts: ReadServiceParts) {
    this.#parts = parts;
    this.#flights = parts.flights ?? new Flights<ReadAnswer>();
  }

  async read(key: Key, options: ReadOptions = {}): Promise<ReadAnswer> {
    const { telemetry, runtime } = this.#parts;
    const startMs = runtime.clock.nowMs();
    const report = (
      source: ReadAnswer['source'] | null,
      code: LockstepError['code'] | null,
    ): void =>
      telemetry.emit({ type: 'read', key, source, code, totalMs: runtime.clock.nowMs() - startMs });
    try {
      const answer = await this.#answer(key, options);
      report(answer.source, null);
      return answer;
    } catch (error) {
      report(null, toLockstepError(error).code);
      throw error;
    }
  }

  async #answer(key: Key, { consistency, minVersion = 0 }: ReadOptions): Promise<ReadAnswer> {
    if (consistency === 'primary' || this.#isBypassed(key)) {
      return atLeast(minVersion, await this.#fromPrimary(key));
    }
    const cached = this.#fromStored(key, await this.#lookUp(key));
    if (cached !== null && cached.version >= minVersion) return cached;
    if (cached !== null) return atLeast(minVersion, await this.#fromPrimary(key));
    return atLeast(minVersion, await this.#flights.join(key.cacheKey, () => this.#miss(key)));
  }

  /** Whether the cache is left alone, for good or while the resource's policy is being switched. */
  #isBypassed({ resource }: Key): boolean {
    return resource.policy === 'none' || this.#parts.isCacheable?.(resource) === false;
  }

  /** One flight: from the lease to the fill. */
  async #miss(key: Key): Promise<ReadAnswer> {
    // Only a refresh writes what readers of such a resource find: its entries are one generation, whole.
    if (key.resource.policy === 'refresh') return this.#fromPrimary(key);
    const leaseId = this.#parts.runtime.ids.next();
    const attempt = await this.#lease(key, leaseId);
    if (attempt?.state === 'found') {
      const found = this.#fromStored(key, attempt.stored);
      if (found !== null) return found;
    }
    const isLeased = attempt?.state === 'leased';
    const settled =
      isLeased && this.#parts.verifyIntent === true && key.resource.policy === 'strict';
    const read = await this.#parts.rows.read(key, { settled });
    if (isLeased) await this.#fill(key, leaseId, read);
    return { version: read.version, row: read.row, source: 'primary' };
  }

  async #fromPrimary(key: Key): Promise<ReadAnswer> {
    const { version, row } = await this.#parts.rows.read(key);
    return { version, row, source: 'primary' };
  }

  /** The value that was stored, or null where the database must be read. */
  #fromStored(key: Key, stored: StoredEntry | null): ReadAnswer | null {
    const entry = stored?.entry;
    if (entry?.state === 'value') {
      const { version, row } = entry;
      const answer: ReadAnswer = { version, row, source: 'cache' };
      return stored?.isRaw === true ? { ...answer, isUnversioned: true } : answer;
    }
    if (entry?.state === 'intent') this.#parts.abandoned.met(key, entry);
    return null;
  }

  async #lookUp(key: Key): Promise<StoredEntry | null> {
    return this.#unlessAway(() => this.#parts.cache.read(key.cacheKey));
  }

  async #lease(key: Key, leaseId: string): Promise<LeaseAttempt | null> {
    return this.#unlessAway(() => this.#parts.cache.leaseOrRead(key.cacheKey, leaseId));
  }

  async #fill(key: Key, leaseId: string, { version, row }: VersionedRow): Promise<void> {
    const { cache, runtime, telemetry } = this.#parts;
    const ttlMs = valueTtlMs(key.resource, row, runtime.random.next());
    const result = await this.#unlessAway(() =>
      cache.fill(key.cacheKey, leaseId, { version, row, ttlMs }),
    );
    telemetry.emit({ type: 'fill', key, result: result ?? 'failed' });
  }

  /** The step's result, or null where the cache does not answer. */
  async #unlessAway<T>(step: () => Promise<T>): Promise<T | null> {
    if (!this.#parts.cache.available) return null;
    try {
      return await step();
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'CACHE_UNAVAILABLE') return null;
      throw error;
    }
  }
}

function atLeast(minVersion: number, answer: ReadAnswer): ReadAnswer {
  if (answer.version >= minVersion) return answer;
  throw new LockstepError(
    'VERSION_MISMATCH',
    `The database has version ${answer.version} of this key, which is older than minVersion ${minVersion}.`,
    { details: { currentVersion: answer.version } },
  );
}
