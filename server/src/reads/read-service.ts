import { bodyOfEntry } from '@lockstep/shared';
/**
 * Reads through the cache (docs/SPEC.md, section "Read").
 *
 * What a read meets decides what it does:
 *   value            answers it
 *   intent           reads the primary, fills nothing
 *   nothing,
 *   a tombstone      leaves a lease, reads the database, fills only under that lease
 *   another's lease  reads the database, fills nothing
 * The database is the primary, or a replica that has all that the read needs (`row-source.ts`). A cache that does not
 * answer is as good as none: the primary answers.
 */
import type { EntryStore, LeaseAttempt, PublishedValue, StoredEntry } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import {
  isCached,
  isDerived,
  isLogPosition,
  isRefreshed,
  isRowTag,
  isStrict,
  type Key,
  LockstepError,
  type Resource,
  type Telemetry,
  toLockstepError,
  UNKNOWN_POSITION,
  valueTtlMs,
} from '../domain/index.ts';
import type { Replicas } from '../replicas/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { AbandonedIntents } from './abandoned-intents.ts';
import { Flights, type ReadFlights } from './flights.ts';
import type { ReadAnswer, ReadOptions, ReadService, Seen } from './port.ts';
import { RowSource } from './row-source.ts';
import { hasSeen, isPositioned, refuseUnseeable } from './seen.ts';

/** Kinds of unreadable entries that the log names. */
const MAX_TOLD = 100;

export interface ReadServiceParts {
  cache: EntryStore;
  rows: Pick<RowStore, 'read'>;
  /** Absent: every row comes from the primary. */
  replicas?: Replicas;
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
  readonly #source: RowSource;
  /** Kinds of unreadable entries that the log has named. */
  readonly #toldCorrupt = new Set<string>();

  constructor(parts: ReadServiceParts) {
    this.#parts = parts;
    this.#source = new RowSource({ ...parts, clock: parts.runtime.clock });
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
      // An entry that says no position may be of any.
      return this.#parts.replicas === undefined ? answer : { upTo: UNKNOWN_POSITION, ...answer };
    } catch (error) {
      report(null, toLockstepError(error).code);
      throw error;
    }
  }

  async #answer(key: Key, options: ReadOptions): Promise<ReadAnswer> {
    const { consistency, minVersion = 0, seen } = options;
    const { replicas } = this.#parts;
    const isEnough = (answer: ReadAnswer): boolean =>
      answer.version >= minVersion && hasSeen(key.resource, answer, seen);
    const isBypassed = consistency === 'primary' || this.#isBypassed(key);
    const stored = isBypassed ? null : await this.#lookUp(key);
    const cached = this.#fromStored(key, stored);
    if (cached !== null && isEnough(cached)) return cached;
    if (seen !== undefined && replicas !== undefined) await refuseUnseeable(seen, replicas);
    if (isBypassed || (cached !== null && !(await this.#outdate(key, stored, seen)))) {
      return atLeast(minVersion, await this.#source.fromPrimary(key));
    }
    const answer = await this.#flights.join(key.cacheKey, () => this.#miss(key, seen));
    if (isEnough(answer) || answer.source === 'primary') return atLeast(minVersion, answer);
    return atLeast(minVersion, await this.#source.fromPrimary(key));
  }

  /** Whether the cache is left alone, for good or while the resource's policy is being switched. */
  #isBypassed({ resource }: Key): boolean {
    return !isCached(resource) || this.#parts.isCacheable?.(resource) === false;
  }

  /** One flight: from the lease to the fill. */
  async #miss(key: Key, seen: Seen | undefined): Promise<ReadAnswer> {
    // Only a refresh writes what readers of such a resource find: its entries are one generation, whole.
    if (isRefreshed(key.resource)) return this.#source.fromPrimary(key);
    const leaseId = this.#parts.runtime.ids.next();
    const attempt = await this.#lease(key, leaseId);
    if (attempt?.state === 'found') {
      const { entry, text } = attempt.stored;
      const found = this.#fromStored(key, attempt.stored);
      if (found !== null) return found;
      // The scripts look at headers alone: what cannot be read behind one would stay.
      if (entry.state === 'corrupt')
        await this.#unlessAway(() => this.#parts.cache.invalidateIfUnchanged(key.cacheKey, text));
    }
    const isLeased = attempt?.state === 'leased';
    const settled = isLeased && this.#parts.verifyIntent === true && isStrict(key.resource);
    const { availableSinceMs: cacheSinceMs = -Infinity } = this.#parts.cache;
    const answer = await this.#source.forMiss(key, { attempt, seen, settled, cacheSinceMs });
    const isKept = isLeased && (await this.#fill(key, leaseId, answer));
    return isKept ? { ...answer, isKept } : answer;
  }

  /**
   * Makes room for a fresher value where the caller has seen more than the one that is there. False where that is not
   * what is wrong with it, or it cannot be done: the caller alone then reads the primary. The tombstone says where the
   * primary is now, not what was seen: the value may have followed an invalidation that is later than that.
   */
  async #outdate(key: Key, stored: StoredEntry | null, seen: Seen | undefined): Promise<boolean> {
    const position = seen?.databases ?? null;
    if (stored === null || position === null || position === UNKNOWN_POSITION) return false;
    if (!isPositioned(key.resource) || this.#parts.replicas === undefined) return false;
    const { cache } = this.#parts;
    const outdated = await this.#unlessAway(() =>
      cache.invalidateIfUnchanged(key.cacheKey, stored.text),
    );
    return outdated !== null;
  }

  /** The value that was stored, or null where the database must be read. */
  #fromStored(key: Key, stored: StoredEntry | null): ReadAnswer | null {
    const entry = stored?.entry;
    if (entry?.state === 'value') {
      const { version, row, reached, upTo, tag } = entry;
      const answer: ReadAnswer = { version, row, source: 'cache', isKept: true };
      if (isRowTag(tag)) answer.tag = tag;
      if (isKnown(reached)) answer.reached = reached;
      if (isKnown(upTo)) answer.upTo = upTo;
      if (stored?.isRaw === true || isDerived(key.resource)) answer.isUnversioned = true;
      else if (row !== null) answer.rowText = bodyOfEntry(stored?.text ?? '');
      return answer;
    }
    if (entry?.state === 'intent') this.#parts.abandoned.met(key, entry);
    if (entry?.state === 'corrupt') this.#tellCorrupt(key, entry.reason);
    return null;
  }

  /** Such an entry is none: the database is read, and what stands there is replaced. */
  #tellCorrupt(key: Key, reason: string): void {
    const { telemetry, runtime } = this.#parts;
    telemetry.emit({ type: 'corrupt-entry', key });
    const { name: resource } = key.resource;
    const kind = `${resource} ${reason}`;
    if (this.#toldCorrupt.has(kind) || this.#toldCorrupt.size >= MAX_TOLD) return;
    this.#toldCorrupt.add(kind);
    runtime.log.warn({ resource, reason }, 'an entry cannot be read; it is taken for none');
  }

  async #lookUp(key: Key): Promise<StoredEntry | null> {
    return this.#unlessAway(() => this.#parts.cache.read(key.cacheKey));
  }

  async #lease(key: Key, leaseId: string): Promise<LeaseAttempt | null> {
    return this.#unlessAway(() => this.#parts.cache.leaseOrRead(key.cacheKey, leaseId));
  }

  async #fill(key: Key, leaseId: string, answer: ReadAnswer): Promise<boolean> {
    // Its table may have got other columns meanwhile.
    if (this.#isBypassed(key)) return false;
    const { cache, runtime, telemetry } = this.#parts;
    const { version, row, reached, upTo, tag } = answer;
    const value: PublishedValue = {
      ...{ version, row, ttlMs: valueTtlMs(key.resource, row, runtime.random.next()) },
      // The absence of a row has no entity tag.
      ...(tag === undefined || row === null ? {} : { tag }),
      ...(reached === undefined ? {} : { reached }),
      ...(upTo === undefined || upTo === UNKNOWN_POSITION ? {} : { upTo }),
    };
    const result = await this.#unlessAway(() => cache.fill(key.cacheKey, leaseId, value));
    telemetry.emit({ type: 'fill', key, result: result ?? 'failed' });
    return result === 'filled';
  }

  /** The step's result, or null where the cache does not answer, or the step fails: the database then has the answer. */
  async #unlessAway<T>(step: () => Promise<T>): Promise<T | null> {
    if (!this.#parts.cache.available) return null;
    try {
      return await step();
    } catch (error) {
      const isAway = error instanceof LockstepError && error.code === 'CACHE_UNAVAILABLE';
      if (!isAway) this.#parts.runtime.log.error({ err: error }, 'a step on an entry failed');
      return null;
    }
  }
}

/** Whoever else writes to the cache may have left anything there. */
const isKnown = (position: string | undefined): position is string =>
  position !== undefined && isLogPosition(position);

function atLeast(minVersion: number, answer: ReadAnswer): ReadAnswer {
  if (answer.version >= minVersion) return answer;
  throw new LockstepError(
    'VERSION_MISMATCH',
    `The database has version ${answer.version} of this key, which is older than minVersion ${minVersion}.`,
    { details: { currentVersion: answer.version } },
  );
}
