import { GONE, LockstepError, type Key, type Resource } from '../../domain/index.ts';
import type { Refusal, RowWrite, RowWriteResult, VersionedRow } from '../port.ts';
import type { DatabaseRefusal } from '../connections/refusals.ts';
import { databaseAnswerOf, type StatementFailure } from '../connections/statement-failure.ts';

/** One try at a write: applied, or rolled back whole because it was not admitted (the reason is looked up afterwards). */
export type Attempt =
  Extract<RowWriteResult, { status: 'applied' | 'reaches' | 'unverified' }> | UnexplainedAttempt;

/** A try that is not the answer yet: why it was not admitted is looked up. */
export type UnexplainedAttempt =
  /** `refusal`: the reason, where the try has found it and what followed may have changed it since. */
  | { status: 'not-admitted'; refusal?: Refusal }
  /** `sawNoRow`: it was an insert, and the row that stood in its way may be one that came in between. */
  | { status: 'refused'; refusal: DatabaseRefusal; sawNoRow?: boolean };

/** Ends the transaction of a write whose `verify` said no. */
export class Unverified extends Error {
  override readonly name = 'Unverified';
}

/** Ends a transaction that would change strict rows which it does not cover. */
export class ReachesMore extends Error {
  override readonly name = 'ReachesMore';
  readonly keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    super(`${keys.length} strict keys`);
    this.keys = keys;
  }
}

/** Ends the transaction of a write that the database did not carry out as it was asked for. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';
  readonly tried: Extract<Attempt, { status: 'refused' }>;

  constructor(refusal: DatabaseRefusal, { sawNoRow = false } = {}) {
    super(refusal.reason);
    this.tried = { status: 'refused', refusal, ...(sawNoRow ? { sawNoRow } : {}) };
  }
}

/** Asks a write's `verify`, within its transaction. @throws Unverified */
export async function assertVerified({ verify }: Pick<RowWrite, 'verify'>): Promise<void> {
  if (verify !== undefined && !(await verify())) throw new Unverified();
}

/** Tries at one write or transaction: deadlocks and lost races are rare, and each try is rolled back whole. */
export const MAX_ATTEMPTS = 4;

/** The last try's failure says more where a trigger raised it. */
export function tooManyRaces(last: StatementFailure | null): LockstepError {
  return new LockstepError(
    'DATABASE_UNAVAILABLE',
    'Other writers of the same row kept coming in between; nothing was applied.',
    last === null ? {} : { cause: last, details: databaseAnswerOf(last) },
  );
}

/** For a write, or for one of several in a transaction. */
export function policySwitched({ name }: Resource, operation?: number): LockstepError {
  const text = `The policy of ${name} was switched, and this coordinator has not followed yet.`;
  if (operation === undefined) return new LockstepError('FENCED', text);
  return new LockstepError('FENCED', `Operation ${operation}: ${text}`, { details: { operation } });
}

/** Why the write is refused where the row is now `current`; null where no reason stands any more. */
export function refusalNow(
  { ifMatch, ifMatchTag, change }: RowWrite,
  tried: UnexplainedAttempt,
  { version: currentVersion, row, tag }: VersionedRow,
): Refusal | null {
  const current = { currentVersion, ...(tag === undefined ? {} : { currentTag: tag }) };
  const isOther =
    ifMatch !== undefined && (ifMatch !== currentVersion || ifMatchTag !== tag || tag === GONE);
  // A deleted row counts as not found, whether Lockstep or another program deleted it.
  const isFound = row !== null || change.op === 'put' || ifMatch !== currentVersion;
  if (isOther && isFound) return { reason: 'version-mismatch', ...current };
  if (change.op !== 'put' && row === null) return { reason: 'not-found', currentVersion };
  if (change.op === 'put' && change.onlyCreate && row !== null) {
    return { reason: 'exists', ...current };
  }
  if (tried.status !== 'refused' || (tried.sawNoRow === true && row !== null)) return null;
  return { ...tried.refusal, currentVersion };
}
