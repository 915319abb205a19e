/**
 * Reads through the cache (docs/SPEC.md, section "Read").
 *
 * What stands in the cache decides what a read does:
 *   value                  answers it
 *   intent                 reads the primary, fills nothing
 *   nothing, a tombstone   leaves a fill lease, reads the database, fills only under that lease
 *   another reader's lease reads the database, fills nothing
 * The database is the primary, or a replica that has everything the read needs (`row-source.ts`). If the cache does not
 * answer, the primary does.
 */
import { bodyOfEntry } from '@lockstep/shared';
import type { EntryStore, PublishedValue, StoredEntry } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import {
  isCacheAway,
  isServedFromCache,
  type ComputedResource,
  isComputed,
  isDerived,
  isLogPosition,
  isRefreshed,
  isRowTag,
  isStrict,
  type Key,
  LockstepError,
  notCached,
  type Resource,
  type Telemetry,
  toLockstepError,
  unfitReason,
  UNKNOWN_POSITION,
  valueTtlMs,
} from '../domain/index.ts';
import type { Replicas } from '../replicas/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { AbandonedIntents } from './abandoned-intents.ts';
import type { ReadAnswer, ReadOptions, ReadService, Seen } from './port.ts';
import { CombinedSteps } from './combined-steps.ts';
import { RowSource } from './row-source.ts';
import { hasSeen, isPositioned, refuseUnseeable } from './seen.ts';
import { SingleFlight } from './single-flight.ts';

/** How many kinds of unreadable entries are logged. */
const MAX_LOGGED_KINDS = 100;

export interface ReadServiceOptions {
  cache: EntryStore;
  rows: Pick<RowStore, 'read' | 'readMany'>;
  /** Absent: every row is read from the primary. */
  replicas?: Replicas;
  abandoned: AbandonedIntents;
  /** `strict.verifyIntent`: a reader that may fill waits for writes of its key that are about to commit. */
  verifyIntent?: boolean;
  /** How concurrent misses share a load. Default: among the reads of this service. */
  singleFlight?: Pick<SingleFlight<ReadAnswer>, 'join'>;
  /** Whether the resource's entries may be read and filled now; absent: always. */
  isCacheable?: (resource: Resource) => boolean;
  telemetry: Telemetry;
  runtime: Runtime;
}

export class CachedReadService implements ReadService {
  readonly #options: ReadServiceOptions;
  readonly #singleFlight: Pick<SingleFlight<ReadAnswer>, 'join'>;
  readonly #combined: CombinedSteps;
  readonly #source: RowSource;
  /** The kinds of unreadable entries that have been logged. */
  readonly #loggedCorrupt = new Set<string>();

  constructor(options: ReadServiceOptions) {
    this.#options = options;
    this.#combined = new CombinedSteps(options);
    const { clock } = options.runtime;
    this.#source = new RowSource({ ...options, combined: this.#combined, clock });
    this.#singleFlight = options.singleFlight ?? new SingleFlight<ReadAnswer>();
  }

  async read(key: Key, options: ReadOptions = {}): Promise<ReadAnswer> {
    const { telemetry, runtime } = this.#options;
    const startMs = runtime.clock.nowMs();
    const report = (
      source: ReadAnswer['source'] | null,
      code: LockstepError['code'] | null,
    ): void =>
      telemetry.emit({ type: 'read', key, source, code, totalMs: runtime.clock.nowMs() - startMs });
    try {
      const answer = await this.#answer(key, options);
      report(answer.source, null);
      // An entry without a position may have been read at any.
      return this.#options.replicas === undefined ? answer : { upTo: UNKNOWN_POSITION, ...answer };
    } catch (error) {
      report(null, toLockstepError(error).code);
      throw error;
    }
  }

  async #answer(key: Key, options: ReadOptions): Promise<ReadAnswer> {
    if (isComputed(key.resource)) return this.#cachedOnly(key, key.resource);
    const { consistency, minVersion = 0, seen, together = false } = options;
    const { replicas } = this.#options;
    const isEnough = (answer: ReadAnswer): boolean =>
      answer.version >= minVersion && hasSeen(key.resource, answer, seen);
    const isBypassed = consistency === 'primary' || this.#isBypassed(key);
    const stored = isBypassed
      ? null
      : await this.#unlessAway(() => this.#options.cache.read(key.cacheKey));
    const cached = this.#fromStored(key, stored);
    if (cached !== null && isEnough(cached)) return cached;
    if (seen !== undefined && replicas !== undefined) await refuseUnseeable(seen, replicas);
    if (isBypassed || (cached !== null && !(await this.#outdate(key, stored, seen)))) {
      return atLeast(minVersion, await this.#source.fromPrimary(key, { together }));
    }
    const answer = await this.#singleFlight.join(key.cacheKey, () =>
      this.#miss(key, seen, together),
    );
    if (isEnough(answer) || answer.source === 'primary') return atLeast(minVersion, answer);
    return atLeast(minVersion, await this.#source.fromPrimary(key, { together }));
  }

  /** Only a client can make the value: it is answered if it is there, and no read lease is left for whoever fills. */
  async #cachedOnly(key: Key, resource: ComputedResource): Promise<ReadAnswer> {
    const stored = this.#isBypassed(key)
      ? null
      : await this.#unlessAway(() => this.#options.cache.read(key.cacheKey));
    const answer = this.#fromStored(key, stored);
    if (answer === null || !(await this.#isCurrent(key, stored))) throw notCached(resource);
    return answer;
  }

  /** False for a value that is kept only for loaders that fail. */
  async #isCurrent({ cacheKey }: Key, stored: StoredEntry | null): Promise<boolean> {
    const graceMs = stored?.entry.state === 'value' ? (stored.entry.graceMs ?? 0) : 0;
    if (graceMs === 0) return true;
    const leftMs = await this.#unlessAway(() => this.#options.cache.ttlMs(cacheKey));
    if (typeof leftMs !== 'number' || leftMs <= graceMs) return false;
    // The time left is that of the same entry only if it was not replaced in between.
    const again = await this.#unlessAway(() => this.#options.cache.read(cacheKey));
    return again?.text === stored?.text;
  }

  /** Whether reads skip the cache: always, or while the policy of the resource is being switched. */
  #isBypassed({ resource }: Key): boolean {
    return !isServedFromCache(resource) || this.#options.isCacheable?.(resource) === false;
  }

  /** What concurrent misses share: from the fill lease to the fill. */
  async #miss(key: Key, seen: Seen | undefined, together: boolean): Promise<ReadAnswer> {
    // Only the scheduled job fills such a resource, so that its entries always are one complete generation.
    if (isRefreshed(key.resource)) return this.#source.fromPrimary(key, { together });
    const leaseId = this.#options.runtime.ids.next();
    const steps = together ? this.#combined : this.#options.cache;
    const attempt = await this.#unlessAway(() => steps.leaseOrRead(key.cacheKey, leaseId));
    if (attempt?.state === 'found') {
      const { stored } = attempt;
      const found = this.#fromStored(key, stored);
      if (found !== null) return found;
      // The cache scripts read only headers: an entry with an unreadable body would stay.
      if (corruptReason(key, stored) !== null)
        await this.#unlessAway(() =>
          this.#options.cache.invalidateIfUnchanged(key.cacheKey, stored.text),
        );
    }
    const isLeased = attempt?.state === 'leased';
    const confirmed = isLeased && this.#options.verifyIntent === true && isStrict(key.resource);
    const { availableSinceMs: cacheSinceMs = -Infinity } = this.#options.cache;
    const miss = { attempt, seen, confirmed, together, cacheSinceMs };
    const answer = await this.#source.forMiss(key, miss);
    const isKept = isLeased && (await this.#fill(key, leaseId, answer));
    return isKept ? { ...answer, isKept } : answer;
  }

  /**
   * Replaces the value by a tombstone, so that a fresher one can be filled, if the caller has seen a later log position
   * than the value has. The tombstone carries the primary's present position rather than the one that was seen: the
   * value may have followed an invalidation that is later than that.
   * @returns false if that is not the reason, or if it failed: only this caller then reads the primary
   */
  async #outdate(key: Key, stored: StoredEntry | null, seen: Seen | undefined): Promise<boolean> {
    const position = seen?.databases ?? null;
    if (stored === null || position === null || position === UNKNOWN_POSITION) return false;
    if (!isPositioned(key.resource) || this.#options.replicas === undefined) return false;
    const { cache } = this.#options;
    const outdated = await this.#unlessAway(() =>
      cache.invalidateIfUnchanged(key.cacheKey, stored.text),
    );
    return outdated !== null;
  }

  /** The stored value as an answer, or null if the database must be read. */
  #fromStored(key: Key, stored: StoredEntry | null): ReadAnswer | null {
    const entry = stored?.entry;
    const corrupt = stored === null ? null : corruptReason(key, stored);
    if (corrupt !== null) this.#reportCorrupt(key, corrupt);
    else if (entry?.state === 'value') {
      const { version, row, reached, upTo, tag } = entry;
      const answer: ReadAnswer = { version, row, source: 'cache', isKept: true };
      if (isRowTag(tag)) answer.tag = tag;
      if (isKnown(reached)) answer.reached = reached;
      if (isKnown(upTo)) answer.upTo = upTo;
      if (stored?.isRaw === true || isDerived(key.resource)) answer.isUnversioned = true;
      else if (row !== null) answer.rowText = bodyOfEntry(stored?.text ?? '');
      return answer;
    }
    if (entry?.state === 'intent') this.#options.abandoned.met(key, entry);
    return null;
  }

  /** A corrupt entry counts as absent: the database is read, and the entry is replaced. */
  #reportCorrupt(key: Key, reason: string): void {
    const { telemetry, runtime } = this.#options;
    telemetry.emit({ type: 'corrupt-entry', key });
    const { name: resource } = key.resource;
    const kind = `${resource} ${reason}`;
    if (this.#loggedCorrupt.has(kind) || this.#loggedCorrupt.size >= MAX_LOGGED_KINDS) return;
    this.#loggedCorrupt.add(kind);
    runtime.log.warn({ resource, reason }, 'an entry cannot be read and counts as absent');
  }

  async #fill(key: Key, leaseId: string, answer: ReadAnswer): Promise<boolean> {
    // The resource's policy or columns may have been switched since the read began.
    if (this.#isBypassed(key)) return false;
    const { cache, runtime, telemetry } = this.#options;
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

  /** The result of the step, or null if the cache does not answer or the step fails; the database is then read. */
  async #unlessAway<T>(step: () => Promise<T>): Promise<T | null> {
    if (!this.#options.cache.available) return null;
    try {
      return await step();
    } catch (error) {
      if (!isCacheAway(error))
        this.#options.runtime.log.error({ err: error }, 'a step on an entry failed');
      return null;
    }
  }
}

/** Other programs may have written anything into the cache. */
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

/** Why the entry cannot be read as one of the key's; null if it can. */
function corruptReason({ resource }: Key, { entry }: StoredEntry): string | null {
  if (entry.state === 'corrupt') return entry.reason;
  return entry.state === 'value' ? unfitReason(resource, entry.row) : null;
}
