import { LockstepError } from '../../server/src/domain/index.ts';
import type { GuardService } from '../../server/src/guards/port.ts';

const unknown = (): LockstepError => new LockstepError('UNKNOWN_GUARD', 'There is none.');

/** Guards that are granted and then unknown. */
export const stubGuards = (): GuardService => ({
  database: 'pg',
  take: (keys) =>
    Promise.resolve({
      id: 'here~guard',
      keys: keys.map((key, index) => ({ key, fence: index + 1, version: 0 })),
      expiresAtMs: 0,
    }),
  grantOf: () => Promise.reject(unknown()),
  commit: () => Promise.reject(unknown()),
  rollback: () => Promise.reject(unknown()),
  size: 0,
  close: () => Promise.resolve(),
});
