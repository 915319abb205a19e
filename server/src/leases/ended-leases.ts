import { LockstepError } from '../domain/index.ts';

/**
 * How a lease ended. `released`: by its holder, or with the process. `ran-out`: its time was over. `lost`: its lock was
 * no longer proved held, or the key had another holder in between.
 */
export type LeaseEnd = 'released' | 'ran-out' | 'lost';

/** Ended leases to remember, so that their holders learn the reason. */
const MAX_REMEMBERED = 10_000;

export class EndedLeases {
  readonly #ends = new Map<string, LeaseEnd>();
  readonly #instance: string;

  constructor(instance: string) {
    this.#instance = instance;
  }

  note(id: string, end: LeaseEnd): void {
    this.#ends.set(id, end);
    if (this.#ends.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#ends.keys()) {
      this.#ends.delete(oldest);
      return;
    }
  }

  /** The error for a caller whose lease id no lease of this process has. */
  errorFor(id: string): LockstepError {
    const end = this.#ends.get(id);
    if (end !== undefined) return endError(end);
    const home = instanceOfLease(id);
    const detail =
      home === null || home === this.#instance
        ? 'This instance has no lease with this id.'
        : `A lease lives in the instance that granted it: this one names ${home}.`;
    return new LockstepError('UNKNOWN_LEASE', detail);
  }
}

export function endError(end: LeaseEnd): LockstepError {
  switch (end) {
    case 'released':
      return new LockstepError('UNKNOWN_LEASE', 'This lease was released.');
    case 'ran-out':
      return new LockstepError('UNKNOWN_LEASE', 'The time of this lease ran out.');
    case 'lost':
      return new LockstepError(
        'FENCED',
        'This lease was lost: its lock is not proved to be held any more, or the key had another holder in between.',
      );
  }
}

/** An id names the instance that granted it, and contains a secret that no caller can guess. */
export const leaseIdOf = (instance: string, secret: string): string => `${instance}~${secret}`;

/** The name of the instance that granted a lease; null where the id names none. */
export function instanceOfLease(id: string): string | null {
  const [, home] = /^([\w.-]{1,128})~[\w-]+$/.exec(id) ?? [];
  return home ?? null;
}
