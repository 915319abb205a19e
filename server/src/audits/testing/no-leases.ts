import { LockstepError } from '../../domain/index.ts';
import type { LeasedLocks } from '../../leases/port.ts';

/** For engines whose tests are about something else. */
export const noLeases: LeasedLocks = {
  acquire: () => Promise.reject(new LockstepError('UNKNOWN_LEASE', 'There are none.')),
  keyOf: () => {
    throw new LockstepError('UNKNOWN_LEASE', 'There are none.');
  },
  isLeased: () => false,
};
