import type { ReadSource, Row } from '@lockstep/shared';
import type { Key, LogPosition } from '../domain/index.ts';

/** What a caller has seen before: no answer to it may be older (invariant G4). */
export interface Seen {
  /** The log position that a cached value must have reached; null: any value may answer; `*`: no value is known to. */
  entries: LogPosition | null;
  /** The position that a replica must have reached, at least `entries`; `*`: only the primary may answer. */
  databases: LogPosition | null;
  /** The version of this key that the caller wrote, if `entries` stands for that write. */
  writtenVersion?: number;
}

export interface ReadOptions {
  /** `primary`: read the database, not the cache. */
  consistency?: 'primary';
  /**
   * It is one of many reads of this moment. Their misses take their leases together and are read by one statement a
   * resource. A read that turns out to be alone waits that moment in vain.
   */
  together?: true;
  /** Never answer an older version. */
  minVersion?: number;
  /** Never answer anything older than this, whichever keys it was seen on. */
  seen?: Seen;
}

export interface ReadAnswer {
  version: number;
  /** Null: there is no such row. */
  row: Row | null;
  /** The row's JSON text, if the cache had it. */
  rowText?: string;
  /** As in `VersionedRow`. */
  tag?: string;
  source: ReadSource;
  /** Raw entries and queries have no version: `version` is then 0 and means nothing. */
  isUnversioned?: true;
  /** A log position, if known: the answer has every change up to it. */
  reached?: LogPosition;
  /** A log position: whatever has reached it has this answer or a newer one; `*`: only the primary is known to. */
  upTo?: LogPosition;
  /** The cache holds this very answer, or held it a moment ago. */
  isKept?: true;
}

export interface ReadService {
  /**
   * @throws LockstepError `DATABASE_UNAVAILABLE`, `VERSION_MISMATCH` (the database itself has not reached `minVersion`),
   * `INVALID` (nor the positions that were seen)
   */
  read(key: Key, options?: ReadOptions): Promise<ReadAnswer>;
}
