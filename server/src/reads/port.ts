import type { ReadSource, Row } from '@lockstep/shared';
import type { Key, LogPosition } from '../domain/index.ts';

/** What a caller has seen before: an answer to it must not be older (invariant G4). */
export interface Seen {
  /** What a cached value must have reached; null: any will do; `*`: none is known to have. */
  entries: LogPosition | null;
  /** What a replica must have reached, at least as much; `*`: only the primary has. */
  databases: LogPosition | null;
  /** The version of this very key that the caller wrote, where that is what `entries` stands for. */
  writtenVersion?: number;
}

export interface ReadOptions {
  /** `primary`: go to the database, past the cache. */
  consistency?: 'primary';
  /** Never answer an older version. */
  minVersion?: number;
  /** Never answer older than this, on whatever key it was seen. */
  seen?: Seen;
}

export interface ReadAnswer {
  version: number;
  /** Null: there is no such row. */
  row: Row | null;
  /** The row's JSON text, where the cache had it. */
  rowText?: string;
  /** As in `VersionedRow`. */
  tag?: string;
  source: ReadSource;
  /** From a raw entry or of a query, which have no version: `version` is 0 and stands for nothing. */
  isUnversioned?: true;
  /** Where positions are known: everything up to it is in the answer. */
  reached?: LogPosition;
  /** Everything that has reached it has the answer, or something newer; `*`: the primary alone is known to. */
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
