import type { Refusal } from '../database/port.ts';
import { type Key, LockstepError } from '../domain/index.ts';

/** The caller's error for a write that the database refused; nothing was applied. */
export function refusalError(key: Key, refusal: Refusal): LockstepError {
  const { currentVersion } = refusal;
  switch (refusal.reason) {
    case 'not-found':
      return new LockstepError('NOT_FOUND', `There is no such row in ${key.resource.name}.`);
    case 'version-mismatch':
      return new LockstepError('VERSION_MISMATCH', `The key has version ${currentVersion}.`, {
        details: { currentVersion },
      });
    case 'exists':
      return new LockstepError(
        'VERSION_MISMATCH',
        `The row exists already, with version ${currentVersion}.`,
        {
          details: { currentVersion },
        },
      );
    case 'constraint':
      return new LockstepError(
        'CONSTRAINT',
        `The database refused the write: ${refusal.kind} constraint ${refusal.constraint}.`,
        {
          details: { constraint: refusal.constraint },
        },
      );
    case 'invalid':
      return new LockstepError('INVALID', refusal.message, {
        details: { errors: [{ path: refusal.column ?? 'value', message: refusal.message }] },
      });
  }
}
