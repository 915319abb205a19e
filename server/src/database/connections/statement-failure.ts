import { LockstepError, type ErrorDetails } from '../../domain/index.ts';

/**
 * What a failed statement leaves behind:
 *   unreached    no connection could be had; it was never sent
 *   rolled-back  the server answered that it gave up for now (deadlock, timeout, out of resources, read-only); nothing
 *                of it happened, and the same statement may pass later
 *   refused      the server refused what the statement says: a rule, a value, a right; nothing of it happened, and the
 *                same statement will not pass
 *   broken       the statement does not fit the schema: a missing table or column; nothing of it happened
 *   lost         it was sent, and no answer came: it happened, or it did not
 */
export type FailureKind = 'unreached' | 'rolled-back' | 'refused' | 'broken' | 'lost';

/**
 * What a refused statement broke:
 *   rule   a constraint, or what a trigger or function made of the row
 *   value  a value does not fit its column
 *   right  the account that Lockstep uses may not do it, or row security does not let it
 */
export type RefusalGround = 'rule' | 'value' | 'right';

export interface FailureOptions {
  kind: FailureKind;
  /** SQLSTATE on PostgreSQL, error number on MySQL, the driver's code where no server answered. */
  code: string;
  /** `rolled-back`: the same statement may pass at once. */
  passing?: boolean;
  /** `refused`; default `rule`. */
  ground?: RefusalGround;
  /** Five characters; absent where no server answered. */
  sqlState?: string | null;
  /**
   * What the author of a trigger or function wrote (`RAISE`, `SIGNAL`). It is passed to the caller and never logged. What
   * the server itself says is not kept: it quotes values.
   */
  authorMessage?: string | null;
  constraint?: string | null;
  column?: string | null;
  table?: string | null;
  /** Of statements that were sent at once: how many were answered before the one that failed. */
  answered?: number;
  /** The driver's error. What the server said is left out where it may quote values. */
  cause: unknown;
}

/** A statement that failed, in terms that do not depend on the driver. Its message never holds values. */
export class StatementFailure extends Error {
  override readonly name = 'StatementFailure';
  readonly kind: FailureKind;
  readonly code: string;
  readonly passing: boolean;
  readonly ground: RefusalGround;
  readonly sqlState: string | null;
  readonly constraint: string | null;
  readonly column: string | null;
  readonly table: string | null;
  readonly answered: number;
  /** Private to this class, so that no log that prints an error's fields prints it. */
  readonly #authorMessage: string | null;

  constructor(options: FailureOptions) {
    super(`A statement was ${options.kind} (${options.code})`, {
      cause: options.kind === 'refused' && options.ground !== 'right' ? null : options.cause,
    });
    this.kind = options.kind;
    this.code = options.code;
    this.passing = options.passing ?? false;
    this.ground = options.ground ?? 'rule';
    this.sqlState = options.sqlState ?? null;
    this.constraint = options.constraint ?? null;
    this.column = options.column ?? null;
    this.table = options.table ?? null;
    this.answered = options.answered ?? 0;
    this.#authorMessage = options.authorMessage ?? null;
  }

  get authorMessage(): string | null {
    return this.#authorMessage;
  }

  /** All was rolled back, and not for a cause that stands in the way of every other statement too. */
  get isTakenBack(): boolean {
    return (
      this.kind === 'refused' ||
      this.kind === 'broken' ||
      (this.kind === 'rolled-back' && this.passing)
    );
  }

  /** The same failure as another kind, for callers that know more than the driver. */
  as(kind: FailureKind, changed: Partial<FailureOptions> = {}): StatementFailure {
    const { code, passing, ground, sqlState, constraint, column, table, cause } = this;
    const options = { code, passing, ground, sqlState, constraint, column, table, cause };
    const { authorMessage, answered } = this;
    return new StatementFailure({ ...options, authorMessage, answered, ...changed, kind });
  }
}

/** What callers learn about a failed statement. Never holds the server's own words, because those quote values. */
export interface DatabaseAnswer {
  sqlState?: string;
  /** MySQL and MariaDB. */
  errorNumber?: number;
  table?: string;
  column?: string;
  /** What the author of a trigger or function wrote. */
  message?: string;
}

/** Longest text of an author that callers get. */
const MAX_MESSAGE_LENGTH = 1_000;

export function databaseAnswerOf(failure: StatementFailure): DatabaseAnswer {
  const { sqlState, code, table, column, authorMessage } = failure;
  const answer: DatabaseAnswer = {};
  if (sqlState !== null) {
    answer.sqlState = sqlState;
    if (code !== sqlState) answer.errorNumber = Number(code);
  }
  if (table !== null) answer.table = table;
  if (column !== null) answer.column = column;
  if (authorMessage !== null) answer.message = authorMessage.slice(0, MAX_MESSAGE_LENGTH);
  return answer;
}

/** What Node says of a value that is longer than a text can be. */
const TEXT_TOO_LONG = 'ERR_STRING_TOO_LONG';

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
  if (error.kind === 'refused') return refusedError(error);
  if (error.code === TEXT_TOO_LONG) {
    return new LockstepError('TOO_LARGE', 'The row holds a value of more than 512 MiB of text.', {
      cause: error,
    });
  }
  const { sqlState } = error;
  const details: ErrorDetails = {
    ...(sqlState === null ? {} : { sqlState }),
    ...(error.authorMessage === null ? {} : databaseAnswerOf(error)),
  };
  return new LockstepError('DATABASE_UNAVAILABLE', UNAVAILABLE[error.kind], {
    cause: error,
    details,
    ...(error.kind === 'broken' ? { logLevel: 'error' } : {}),
  });
}

/** A statement that is no write of a row, such as a read, and that the database refused. */
function refusedError(failure: StatementFailure): LockstepError {
  const answer = databaseAnswerOf(failure);
  const { constraint } = failure;
  const details: ErrorDetails = constraint === null ? answer : { ...answer, constraint };
  const options = { cause: failure, details, logLevel: 'warn' } as const;
  if (failure.ground === 'right')
    return new LockstepError('FORBIDDEN_BY_DATABASE', FORBIDDEN, options);
  if (failure.ground === 'value') {
    return new LockstepError('INVALID', 'The database does not take a value.', options);
  }
  return new LockstepError('CONSTRAINT', 'The database refused the statement.', options);
}

export const FORBIDDEN =
  "The database does not let Lockstep's account do this; nothing was applied.";

const UNAVAILABLE: Record<Exclude<FailureKind, 'refused'>, string> = {
  unreached: 'The database could not be reached in time; nothing was applied.',
  'rolled-back': 'The database gave the statement up; nothing was applied.',
  broken: 'The database cannot run the statement; the log says why. Nothing was applied.',
  lost: 'The database did not answer.',
};

/** SQLSTATE of lockstep_refuse(): a write that its fence, version or row does not admit. */
export const NOT_ADMITTED = 'LS001';

export const notAdmitted = (): StatementFailure =>
  new StatementFailure({ kind: 'refused', code: NOT_ADMITTED, cause: null });

/** Whether Lockstep's own statement refused itself; an author may raise the same SQLSTATE. */
export const isNotAdmitted = ({ kind, code, authorMessage }: StatementFailure): boolean =>
  kind === 'refused' && code === NOT_ADMITTED && authorMessage === null;

/** Whether it is the record of an idempotency key that is there already. */
export const isRepeatedOutcome = ({ kind, table, authorMessage }: StatementFailure): boolean =>
  kind === 'refused' && table === 'lockstep_idempotency' && authorMessage === null;

/** The statement was not carried out, because the table is not as it was described any more. */
export const isOfSchema = (error: unknown): boolean =>
  error instanceof Error &&
  error.cause instanceof StatementFailure &&
  error.cause.kind === 'broken';
