import { ERROR_CODES, type Problem } from '@lockstep/shared';
import { LockstepError, toLockstepError } from '../domain/index.ts';
import type { Log } from '../runtime/index.ts';
import { type Answer, TOKEN_HEADER } from './answer.ts';

/** Where `type` of a problem document points: the code's own line in the API's pages. */
const TYPE_BASE = '/docs#problem-';

/** An error as an RFC 9457 problem document. */
export function problemOf(error: LockstepError, requestId: string): Problem {
  return {
    type: `${TYPE_BASE}${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: ERROR_CODES[error.code].title,
    status: error.status,
    detail: detailOf(error),
    code: error.code,
    outcome: error.outcome,
    retryable: error.retryable,
    requestId,
    ...error.details,
  };
}

/** People read what the author of a trigger wrote, too. */
const detailOf = ({ message, details }: LockstepError): string =>
  details.message === undefined ? message : `${message} The database says: ${details.message}`;

/** The answer to a call that failed with `cause`; it is logged once. A defect is logged with its stack, and only logged. */
export function problemAnswer(cause: unknown, requestId: string, log: Log): Answer {
  const error = toLockstepError(cause);
  logFailure(error, requestId, log);
  const headers: Record<string, string> = {
    'Content-Type': 'application/problem+json; charset=utf-8',
  };
  if (error.retryAfterMs !== null) {
    headers['Retry-After'] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  }
  const { token } = error.details;
  if (token !== undefined) headers[TOKEN_HEADER] = token;
  // The rest of the body need not be read.
  if (error.code === 'TOO_LARGE') headers['Connection'] = 'close';
  if (error.code === 'UNAUTHENTICATED') headers['WWW-Authenticate'] = 'Bearer realm="lockstep"';
  return { status: error.status, body: problemOf(error, requestId), headers };
}

/**
 * Leaves out `details.message`, because a trigger's text may contain a row's values, and the wrong fields of a request,
 * because the caller chose their names.
 */
function logFailure(error: LockstepError, requestId: string, log: Log): void {
  if (error.code === 'INTERNAL') {
    log.error({ err: error.cause ?? error, requestId }, 'a request met a defect');
    return;
  }
  const { code, message, details, logLevel } = error;
  const detail = details.errors === undefined ? message : undefined;
  const { sqlState, errorNumber, constraint, table, column } = details;
  const fields = { code, detail, requestId, sqlState, errorNumber, constraint, table, column };
  if (logLevel === 'error') log.error({ ...fields, err: error.cause }, 'a request failed');
  else log[logLevel](fields, 'a request was refused');
}

/** The answer to a method that the path does not have; `allow` lists those that it has. */
export function methodNotAllowed(allow: string, requestId: string, log: Log): Answer {
  const error = new LockstepError('METHOD_NOT_ALLOWED', `This path takes ${allow}.`);
  const answer = problemAnswer(error, requestId, log);
  return { ...answer, headers: { ...answer.headers, Allow: allow } };
}
