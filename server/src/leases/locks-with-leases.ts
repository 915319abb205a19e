import type { LockSnapshot } from '../locks/port.ts';
import type { LeaseService } from './port.ts';

/**
 * The locks of this process, with the time of their leases where they have one: a watchdog extends the lock of a lease,
 * so the time of the lock does not show when the lease ends.
 */
export function locksWithLeases(
  { held, waiting }: LockSnapshot,
  leases: Pick<LeaseService, 'size' | 'held'>,
): LockSnapshot {
  if (leases.size === 0) return { held, waiting };
  const byKey = new Map(leases.held().map((lease) => [`${lease.resource} ${lease.key}`, lease]));
  return {
    held: held.map((lock) => {
      const lease = byKey.get(`${lock.resource} ${lock.key}`);
      if (lease === undefined || lock.purpose !== 'lease') return lock;
      return { ...lock, lease: { leftMs: lease.leftMs, ttlMs: lease.ttlMs } };
    }),
    waiting,
  };
}
