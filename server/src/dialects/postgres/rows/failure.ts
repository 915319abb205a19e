/**
 * What an error of PostgreSQL says about the statement that met it, by the class of its SQLSTATE.
 *
 * Lockstep's statements fit the schema that they were bound to. So what a statement meets is what the row's values, its
 * constraints, triggers and functions made of it: it is refused, whatever its code. The exceptions are the classes that
 * may pass (`PASSING`), those that say that the statement does not fit the schema (`MISFIT`), and a session that ends.
 */
import pg from 'pg';
import {
  NOT_ADMITTED,
  StatementFailure,
  type FailureKind,
  type RefusalGround,
} from '../../../database/connections/statement-failure.ts';
import type { RefusalCodes } from '../../../database/connections/refusals.ts';

/** Retried at once: the server asks for it. */
const RETRYABLE = /^(40001|40P01)$/;

/** The server gives up for now: another transaction, a lock, resources, a timeout, a standby, a foreign server. */
const PASSING = /^(40|53|55P03|55006|57014|58|72|25006|25P02|F0|HV|XX)/;

/** The statement does not fit the schema any more, or the session has lost what it prepared. */
const MISFIT = /^(0A|26|34|3D|3F|42)/;

/** The session ends, or never began; a commit may have been done before. */
const ENDED = /^(57P|08)/;

/** With another severity than ERROR (which is translated to the server's language) these too end a session. */
const FATAL_OR_TRANSLATED = /^(57P|08|25P03|25P04|28|53300|58|XX)/;

const VALUE = /^(22|21|54)/;
const RIGHT = '42501';

/** Functions of the server that raise what an author wrote. Unlike the rest of an error they are never translated. */
const RAISED_IN = new Set(['exec_stmt_raise', 'exec_stmt_assert']);

/** Whether an author of a function raised it (or lockstep_refuse did), whatever its SQLSTATE. */
export const isRaisedByAuthor = (error: Error): boolean =>
  'routine' in error && typeof error.routine === 'string' && RAISED_IN.has(error.routine);

export function explainPgError(error: unknown): StatementFailure {
  if (error instanceof StatementFailure) return error;
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) {
    return new StatementFailure({ kind: 'lost', code: driverCode(error), cause: error });
  }
  const { code } = error;
  const isRaised = isRaisedByAuthor(error) && !isOwnRaise(error);
  const isWithin = isRaised || isWithinFunction(error);
  const kind = kindOf(code, error.severity, isRaised, isWithin);
  return new StatementFailure({
    kind,
    code,
    sqlState: code,
    passing: kind === 'rolled-back' && RETRYABLE.test(code),
    ground: groundOf(code, isWithin),
    constraint: error.constraint ?? null,
    column: error.column ?? null,
    table: error.table ?? null,
    authorMessage: isRaised ? error.message : null,
    cause: causeOf(error, isWithin),
  });
}

function kindOf(
  code: string,
  severity: string | undefined,
  isRaised: boolean,
  isWithin: boolean,
): FailureKind {
  // A session never ends by what an author raises; what he raises as a lost race is tried again as one.
  if (isRaised) return RETRYABLE.test(code) ? 'rolled-back' : 'refused';
  if (severity === 'FATAL' || severity === 'PANIC') return 'lost';
  if (severity !== 'ERROR' && FATAL_OR_TRANSLATED.test(code)) return 'lost';
  // Within a function it is a foreign server's session.
  if (ENDED.test(code)) return isWithin ? 'rolled-back' : 'lost';
  if (PASSING.test(code)) return 'rolled-back';
  if (code === RIGHT) return 'refused';
  return MISFIT.test(code) && !isWithin ? 'broken' : 'refused';
}

function groundOf(code: string, isWithin: boolean): RefusalGround {
  if (code === RIGHT) return 'right';
  return VALUE.test(code) && !isWithin ? 'value' : 'rule';
}

/** lockstep_refuse(), called by Lockstep's statement itself: within a trigger the context goes on with its function. */
function isOwnRaise({ code, where = '' }: pg.DatabaseError): boolean {
  const [first = '', second = ''] = where.split('\n');
  const isOutermost = second === '' || /\$\d+ = /.test(second);
  return code === NOT_ADMITTED && /\blockstep_refuse\(text\)/.test(first) && isOutermost;
}

/** Whether it was met within somebody's function. An error of a parameter has a context too, and is not. */
function isWithinFunction({ where = '', internalQuery }: pg.DatabaseError): boolean {
  return internalQuery !== undefined || /\bPL\/\w|\bSQL function\b/.test(where);
}

/**
 * The error with what an operator needs, and without its context, query, detail and hint, which quote values. Within a
 * function its message is somebody's text too.
 */
function causeOf(error: pg.DatabaseError, isWithin: boolean): Error {
  const { code, severity, routine } = error;
  const cause = new Error(isWithin ? 'an error within a function of the database' : error.message);
  return Object.assign(cause, { code, severity, routine });
}

function driverCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return 'NO_ANSWER';
}

export const pgRefusalCodes: RefusalCodes = {
  constraints: {
    '23502': 'not-null',
    '23503': 'foreign-key',
    '23001': 'foreign-key',
    '23505': 'unique',
    '23514': 'check',
  },
  messages: {
    '22001': 'is too long',
    '22003': 'is out of range',
    '22007': 'is not a valid date or time',
    '22008': 'is out of range',
    '22P02': 'has a wrong form',
    '54000': 'is too long for an index of its column',
  },
};
