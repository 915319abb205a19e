import type { LockNodes } from '../../server/src/locks/lock-nodes.ts';
import type { LockBackDoor } from './back-door.ts';
import { over } from './over.ts';

/** A release deletes the lock whatever token it holds: a late one takes away another process's lock. */
export function releaseWithoutOwner(nodes: LockNodes, locks: LockBackDoor): LockNodes {
  return over(nodes, {
    release: async ({ lockKey }) => {
      await locks.delete(lockKey);
      return 'released';
    },
  });
}
