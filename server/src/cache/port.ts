import type { CorruptEntry, Entry, Row } from '@lockstep/shared';
import type { LogPosition } from '../domain/index.ts';

/** An entry in the cache: decoded, and its exact text for comparing it later. */
export interface StoredEntry {
  entry: Entry | CorruptEntry;
  text: string;
  /** The entry is of `format: raw`: its version, fence and time are 0 and mean nothing. */
  isRaw?: true;
}

/** The result of `leaseOrRead`. `after`: the log position that a fill must have reached; absent: the key was empty. */
export type LeaseAttempt =
  /** The caller holds the lease and may fill; a fill must have reached `leastVersion`. */
  | { state: 'leased'; leastVersion: number; after?: LogPosition }
  /** Another reader holds a lease: read the database and fill nothing. */
  | { state: 'busy'; leastVersion: number; after?: LogPosition }
  /** A value or a write intent has come in between. */
  | { state: 'found'; stored: StoredEntry };

/** One holder's intent. Only both fields together are unique: a cache that has lost entries may mint a fence again. */
export interface Intent {
  intentId: string;
  fence: number;
}

export interface PublishedValue {
  version: number;
  row: Row | null;
  /** The tag in the row's entity tag (`EntityTag`); absent if that is the plain version. */
  tag?: string;
  /** Life of the value. */
  ttlMs: number;
  /** Log positions, if known: see `ValueEntry`. */
  reached?: LogPosition;
  upTo?: LogPosition;
}

/**
 * A log position that includes the change which caused an invalidation. Null: it could not be found out. Undefined: the
 * store finds it out itself, if it can.
 */
export type CoveringPosition = LogPosition | null | undefined;

/**
 * The cache as the protocol uses it. Each method is one atomic step on one cache key.
 * Every method rejects with LockstepError `CACHE_UNAVAILABLE` if the cache does not answer in time; the step may have
 * happened all the same. Times inside entries are by the cache server's own clock.
 */
export interface EntryStore {
  /** The entry, or null where nothing is cached. */
  read(cacheKey: string): Promise<StoredEntry | null>;
  /** Many entries at once, in order. At most 1,000. */
  readMany(cacheKeys: readonly string[]): Promise<(StoredEntry | null)[]>;

  /**
   * A reader's miss: leaves a lease in place of nothing, a tombstone (whose version it keeps) or an unreadable entry.
   */
  leaseOrRead(cacheKey: string, leaseId: string): Promise<LeaseAttempt>;
  /** Fills only if exactly that lease is still there and `value.version` has reached its least version. */
  fill(cacheKey: string, leaseId: string, value: PublishedValue): Promise<'filled' | 'refused'>;

  /**
   * Mints fences, the highest of which is `max(entry's fence + fences, TIME in µs, aboveFence + fences)`, and replaces
   * whatever is there by a write intent with the highest. The intent has no expiry.
   * @param intentId unique to this holder and this call
   * @param fences how many are minted: the intent's, and those right below it. Default 1
   */
  placeIntent(
    cacheKey: string,
    intentId: string,
    aboveFence: number,
    fences?: number,
  ): Promise<Intent>;
  /** Publishes a write (step 4 of a strict write). Leaves a tombstone if `value` is null. */
  publish(
    cacheKey: string,
    intent: Intent,
    version: number,
    value: PublishedValue | null,
  ): Promise<'fresh' | 'invalidated'>;
  /**
   * After a refused write whose fence is stored: replaces its intent by a tombstone of `version`; anything else stays.
   */
  withdrawIntent(cacheKey: string, intent: Intent, version: number): Promise<void>;
  /** How long exactly this intent has been there, in ms by the cache's clock; null if it is gone. */
  intentAgeMs(cacheKey: string, intent: Intent): Promise<number | null>;

  /**
   * Leaves a tombstone. An intent stays, and is marked. With a `version`, a value of that version or newer stays
   * (`fresh`). With null no value stays, because the change in the database has no version.
   */
  invalidate(
    cacheKey: string,
    version: number | null,
    position?: CoveringPosition,
  ): Promise<'fresh' | 'invalidated'>;
  /** `invalidate` for many keys in one round trip. For each key its result or its error. */
  invalidateMany(items: readonly Invalidation[]): Promise<('fresh' | 'invalidated' | Error)[]>;
  /**
   * Replaces an entry by a tombstone if its text is still `text`: for repairs of audits, and readers that need a newer
   * value.
   */
  invalidateIfUnchanged(
    cacheKey: string,
    text: string,
    position?: CoveringPosition,
  ): Promise<boolean>;

  /** Remaining life in ms. Null: no expiry. Undefined: there is nothing. */
  ttlMs(cacheKey: string): Promise<number | null | undefined>;
  /** False while the cache is known to be away: callers then skip it without waiting. */
  readonly available: boolean;
  /** Since when it has answered without interruption, by the process's monotonic clock; absent: always. */
  readonly availableSinceMs?: number;
}

/** A cache key whose entry is to become a tombstone: see `EntryStore.invalidate`. */
export interface Invalidation {
  cacheKey: string;
  version: number | null;
  position?: CoveringPosition;
  /** The caller knows that this is the key of a resource's entry, so it need not be found out. */
  isEntry?: boolean;
}

/** One step of a sweep over the cache. */
export interface ScanPage {
  /** Opaque; null at the end of the sweep. */
  next: string | null;
  keys: { cacheKey: string; ttlMs: number | null }[];
}

/** Bounded sweeps over the whole cache (`SCAN`, never `KEYS`). */
export interface EntryScanner {
  scan(cursor: string | null, count: number): Promise<ScanPage>;
  /** Up to `count` keys with a prefix, picked as randomly as SCAN allows. */
  sample(prefix: string, count: number): Promise<string[]>;
}
