import type { CorruptEntry, Entry, Row } from '@lockstep/shared';
import type { LogPosition } from '../domain/index.ts';

/** An entry as it stands in the cache: decoded, and the very text for a later compare. */
export interface StoredEntry {
  entry: Entry | CorruptEntry;
  text: string;
  /** Of `format: raw`: its version, fence and time are 0 and stand for nothing. */
  isRaw?: true;
}

/** What `leaseOrRead` met. `after`: the log position that a fill must have reached; absent: there was nothing. */
export type LeaseAttempt =
  /** The caller holds the lease and may fill; a fill must have reached `leastVersion`. */
  | { state: 'leased'; leastVersion: number; after?: LogPosition }
  /** Another reader holds a lease: read the database and fill nothing. */
  | { state: 'busy'; leastVersion: number; after?: LogPosition }
  /** Something that answers the read, or a write intent, has come in between. */
  | { state: 'found'; stored: StoredEntry };

/** One holder's intent. Only both fields together are unique, since a cache that forgot may repeat a fence. */
export interface Intent {
  intentId: string;
  fence: number;
}

export interface PublishedValue {
  version: number;
  row: Row | null;
  /** Of the row's entity tag (`EntityTag`); absent: it is the plain version. */
  tag?: string;
  /** Life of the value. */
  ttlMs: number;
  /** Log positions, where they are known: as in `ValueEntry`. */
  reached?: LogPosition;
  upTo?: LogPosition;
}

/**
 * A log position that covers the change which an invalidation stands for: null where it could not be learnt, undefined
 * where the store is to learn it itself (if it has somewhere to ask).
 */
export type CoveringPosition = LogPosition | null | undefined;

/**
 * The cache as the protocol uses it. Each method is one atomic step on one cache key.
 * Every method rejects with LockstepError `CACHE_UNAVAILABLE` when the cache does not answer in time; the step may
 * then have happened or not. Times inside entries are the cache server's own.
 */
export interface EntryStore {
  /** The entry, or null where nothing is cached. */
  read(cacheKey: string): Promise<StoredEntry | null>;
  /** Many entries at once, in order. At most 1,000. */
  readMany(cacheKeys: readonly string[]): Promise<(StoredEntry | null)[]>;

  /** A reader's miss: leaves a lease where there is nothing, a tombstone or an unreadable entry; it carries the tombstone's version over. */
  leaseOrRead(cacheKey: string, leaseId: string): Promise<LeaseAttempt>;
  /** Fills only if that very lease is still there and `value.version` has reached its least version. */
  fill(cacheKey: string, leaseId: string, value: PublishedValue): Promise<'filled' | 'refused'>;

  /**
   * Mints fences and puts a write intent with the highest of them, whatever is there: `max(entry's fence + fences, TIME in
   * µs, aboveFence + fences)`. The intent has no expiry.
   * @param intentId unique to this holder and this call
   * @param fences how many are minted: the intent's, and those right below it. Default 1
   */
  placeIntent(
    cacheKey: string,
    intentId: string,
    aboveFence: number,
    fences?: number,
  ): Promise<Intent>;
  /** The owner's step 4. `tombstone` where `value` is null. */
  publish(
    cacheKey: string,
    intent: Intent,
    version: number,
    value: PublishedValue | null,
  ): Promise<'fresh' | 'invalidated'>;
  /** After a refused write whose fence is stored: the owner's intent becomes a tombstone of `version`; anything else stays. */
  withdrawIntent(cacheKey: string, intent: Intent, version: number): Promise<void>;
  /** How long this very intent has been there by the cache's clock, in ms; null where it is not there any more. */
  intentAgeMs(cacheKey: string, intent: Intent): Promise<number | null>;

  /**
   * Leaves a tombstone. An intent is marked instead. With a `version`, a value of that version or newer stays
   * (`fresh`); with null every value goes: someone changed the database without a version.
   */
  invalidate(
    cacheKey: string,
    version: number | null,
    position?: CoveringPosition,
  ): Promise<'fresh' | 'invalidated'>;
  /** `invalidate` for many keys in one round trip; each result or the error of that key. */
  invalidateMany(items: readonly Invalidation[]): Promise<('fresh' | 'invalidated' | Error)[]>;
  /** Replaces an entry by a tombstone only if it is still exactly `text`: an audit's repair, a reader that needs newer. */
  invalidateIfUnchanged(
    cacheKey: string,
    text: string,
    position?: CoveringPosition,
  ): Promise<boolean>;

  /** Remaining life in ms; null: no expiry; undefined: nothing there. */
  ttlMs(cacheKey: string): Promise<number | null | undefined>;
  /** False while the cache is known not to answer: callers then skip it without waiting. */
  readonly available: boolean;
  /** Since when it has answered without a break, by the process's monotonic clock; absent: always. */
  readonly availableSinceMs?: number;
}

/** A cache key whose entry is to become a tombstone: see `EntryStore.invalidate`. */
export interface Invalidation {
  cacheKey: string;
  version: number | null;
  position?: CoveringPosition;
  /** The caller has it from a row's key: that it is a resource's entry need not be found out. */
  isEntry?: boolean;
}

/** One step of a sweep over the cache. */
export interface ScanPage {
  /** Opaque; null when the sweep has come round. */
  next: string | null;
  keys: { cacheKey: string; ttlMs: number | null }[];
}

/** Bounded sweeps over the whole cache (`SCAN`, never `KEYS`). */
export interface EntryScanner {
  scan(cursor: string | null, count: number): Promise<ScanPage>;
  /** Up to `count` keys that match a prefix, picked at random across the key space as far as SCAN allows. */
  sample(prefix: string, count: number): Promise<string[]>;
}
