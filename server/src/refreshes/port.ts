import type { RefreshReport, RefreshStatus } from '@lockstep/shared';
import type { Resource } from '../domain/index.ts';

export interface RefreshService {
  /**
   * Rewrites the resource's cache now and waits for its end. One at a time for a resource over the whole cluster.
   * @throws LockstepError `LOCK_TIMEOUT` (another run takes long), `TOO_LARGE`, `CACHE_UNAVAILABLE`, `DATABASE_UNAVAILABLE`
   */
  run(resource: Resource, trigger: 'schedule' | 'demand'): Promise<RefreshReport>;
  /** Every refreshed resource. @throws LockstepError `DATABASE_UNAVAILABLE` */
  overview(): Promise<RefreshStatus[]>;
  /** The map of resources has changed: the schedules follow it. Resolves when the runs in flight have ended. */
  resourcesChanged(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}
