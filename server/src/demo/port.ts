import type { DriftReport, DriftRequest } from '@lockstep/shared';
import type { Resource } from '../domain/index.ts';

/** Makes drift on purpose, by writing to the database and to Redis behind Lockstep's back. */
export interface DriftMaker {
  /**
   * Changes up to `count` keys that are cached now, of kinds in turn where none is named. Fewer where fewer are cached.
   * @throws LockstepError `INVALID` (the resource is never cached, or `count` is not 1 to 100), `CACHE_UNAVAILABLE`,
   *   `DATABASE_UNAVAILABLE`
   */
  makeDrift(
    resource: Resource,
    count: number,
    kind?: NonNullable<DriftRequest['kind']>,
  ): Promise<DriftReport>;
}

/** A small live load of reads and writes through the HTTP API. */
export interface DemoLoad {
  /** Stops the load and waits until its process is gone. Idempotent. */
  stop(): Promise<void>;
}
