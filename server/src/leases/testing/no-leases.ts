import { LockstepError } from '../../domain/index.ts';
import type { LeasedTurns } from '../port.ts';

/** For engines whose tests are about something else. */
export const noLeases: LeasedTurns = {
  turn: () => Promise.reject(new LockstepError('UNKNOWN_LEASE', 'There are none.')),
  keyOf: () => {
    throw new LockstepError('UNKNOWN_LEASE', 'There are none.');
  },
  isLeased: () => false,
};
