import { LockstepError } from '../domain/index.ts';
import type { Log } from '../runtime/index.ts';

/**
 * What a failed statement leaves behind:
 *   unreached    no connection could be had; it was never sent
 *   rolled-back  the server answered that it gave up (deadlock, timeout, out of resources); nothing of it happened
 *   refused      the server refused what it says: a constraint, a value that does not fit; nothing of it happened
 *   broken       the server cannot run it at all: a missing table or column, no permission; nothing of it happened
 *   lost         it was sent, and no answer came: it happened, or it did not
 */
export type FailureKind = 'unreached' | 'rolled-back' | 'refused' | 'broken' | 'lost';

export interface FailureFacts {
  kind: FailureKind;
  /** SQLSTATE on PostgreSQL, error number on MySQL, the driver's code where no server answered. */
  code: string;
  /** `rolled-back`: the same statement may pass at once. */
  passing?: boolean;
  constraint?: string | null;
  column?: string | null;
  table?: string | null;
  cause: unknown;
}

/** A statement that failed, in terms that do not depend on the driver. Its message never holds values. */
export class StatementFailure extends Error {
  override readonly name = 'StatementFailure';
  readonly kind: FailureKind;
  readonly code: string;
  readonly passing: boolean;
  readonly constraint: string | null;
  readonly column: string | null;
  readonly table: string | null;

  constructor(facts: FailureFacts) {
    // What the server says of a refused statement quotes its values, and causes end up in logs.
    super(`A statement was ${facts.kind} (${facts.code})`, {
      cause: facts.kind === 'refused' ? null : facts.cause,
    });
    this.kind = facts.kind;
    this.code = facts.code;
    this.passing = facts.passing ?? false;
    this.constraint = facts.constraint ?? null;
    this.column = facts.column ?? null;
    this.table = facts.table ?? null;
  }
}

/** A failure as callers of the capability see it. `sent` says whether a lost statement may have changed something. */
export function toDatabaseError(error: unknown, sent: 'read' | 'write'): unknown {
  if (!(error instanceof StatementFailure)) return error;
  if (error.kind === 'lost' && sent === 'write') {
    return new LockstepError(
      'OUTCOME_UNKNOWN',
      'The write was sent to the database and no answer came.',
      {
        cause: error,
      },
    );
  }
  return new LockstepError('DATABASE_UNAVAILABLE', UNAVAILABLE[error.kind], { cause: error });
}

const UNAVAILABLE: Record<FailureKind, string> = {
  unreached: 'The database could not be reached in time; nothing was applied.',
  'rolled-back': 'The database gave the statement up; nothing was applied.',
  refused: 'The database refused a statement; nothing was applied.',
  broken: 'The database cannot run the statement; the log says why. Nothing was applied.',
  lost: 'The database did not answer.',
};

/** SQLSTATE of lockstep_refuse(): a write that its turn, version or row does not admit. */
export const NOT_ADMITTED = 'LS001';

/** Logs a failure that only an operator can mend; others say enough by themselves. */
export function reportDefect(log: Log, error: unknown): void {
  if (!(error instanceof StatementFailure)) return;
  if (error.kind !== 'broken' && error.kind !== 'refused') return;
  log.error({ err: error, code: error.code }, 'The database cannot run a statement');
}
