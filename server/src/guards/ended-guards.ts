import { keyAsJson, LockstepError } from '../domain/index.ts';
import { instanceOfLease } from '../leases/index.ts';
import type { GuardedResult } from './port.ts';

/**
 * How a guard ended. `told`: its caller told what became of the transaction, and the database agreed. `lost`: it ran
 * out, or the database says otherwise; with what the database says, or null while it has not said it.
 */
export type GuardEnd = { how: 'told' } | { how: 'lost'; results: readonly GuardedResult[] | null };

/** Ended guards to remember. Those that were lost are in the database, too, for a day. */
const MAX_REMEMBERED = 10_000;

export class EndedGuards {
  readonly #ends = new Map<string, GuardEnd>();

  note(id: string, end: GuardEnd): void {
    this.#ends.delete(id);
    this.#ends.set(id, end);
    if (this.#ends.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#ends.keys()) {
      this.#ends.delete(oldest);
      return;
    }
  }

  of(id: string): GuardEnd | undefined {
    return this.#ends.get(id);
  }
}

export const isAppliedIn = (results: readonly GuardedResult[]): boolean =>
  results.some(({ isApplied }) => isApplied);

/** The guard is over, and its caller was not heard in time, or said what the database does not know. */
export function guardLost(results: readonly GuardedResult[]): LockstepError {
  const applied = results.filter(({ isApplied }) => isApplied);
  const [first] = applied;
  const text =
    first === undefined
      ? 'This guard is over, and no transaction that called lockstep_guard with its fences has committed.'
      : 'This guard ran out before its caller told what became of the transaction: it has committed.';
  return new LockstepError('GUARD_LOST', text, {
    outcome: first === undefined ? 'not_applied' : 'applied',
    details: {
      ...(first === undefined ? {} : { version: first.version }),
      results: applied.map(({ key, version, cache }) => ({
        ...{ resource: key.resource.name, key: keyAsJson(key), version, cache },
      })),
    },
  });
}

export function unknownGuard(
  id: string,
  instance: string,
  end: GuardEnd | undefined,
): LockstepError {
  if (end !== undefined) return new LockstepError('UNKNOWN_GUARD', 'This guard is over.');
  const home = instanceOfLease(id);
  const detail =
    home === null || home === instance
      ? 'This instance has no guard with this id.'
      : `A guard lives in the instance that granted it: this one names ${home}.`;
  return new LockstepError('UNKNOWN_GUARD', detail);
}
