import type { ReadSource, Row } from '@lockstep/shared';
import type { Key } from '../domain/index.ts';

export interface ReadOptions {
  /** `primary`: go to the database, past the cache. */
  consistency?: 'primary';
  /** Never answer an older version. */
  minVersion?: number;
}

export interface ReadAnswer {
  version: number;
  /** Null: there is no such row. */
  row: Row | null;
  source: ReadSource;
  /** From a raw entry, which has no version: `version` is 0 and stands for nothing. */
  isUnversioned?: true;
}

export interface ReadService {
  /** @throws LockstepError `DATABASE_UNAVAILABLE`, `VERSION_MISMATCH` (the database itself has not reached `minVersion`) */
  read(key: Key, options?: ReadOptions): Promise<ReadAnswer>;
}
