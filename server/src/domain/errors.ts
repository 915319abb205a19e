import {
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  type FieldFault,
  type Outcome,
} from '@lockstep/shared';

export type { ErrorDetails };

/** The level at which the API logs an error, once, with the request's id. */
type ErrorLogLevel = 'error' | 'warn' | 'info' | 'debug';

interface ErrorOptions {
  /** Default: the code's outcome in `ERROR_CODES`. */
  outcome?: Outcome;
  /** Advice to the caller, sent as `Retry-After` (rounded up to seconds). Default 1 s for retryable codes. */
  retryAfterMs?: number;
  details?: ErrorDetails;
  /** Default `error` for a defect, else `debug`. */
  logLevel?: ErrorLogLevel;
  cause?: unknown;
}

/** Lockstep's only error class. Callers act on its `code`. */
export class LockstepError extends Error {
  override readonly name = 'LockstepError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly outcome: Outcome;
  readonly retryAfterMs: number | null;
  /** Private so that logs do not print it: the message of a trigger may contain a row's values. */
  readonly #details: ErrorDetails;
  readonly logLevel: ErrorLogLevel;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    const { status, retryable, outcome } = ERROR_CODES[code];
    this.code = code;
    this.status = status;
    this.retryable = retryable;
    this.outcome = options.outcome ?? outcome;
    this.retryAfterMs = retryable ? (options.retryAfterMs ?? 1000) : null;
    this.#details = options.details ?? {};
    this.logLevel = options.logLevel ?? (code === 'INTERNAL' ? 'error' : 'debug');
  }

  get details(): ErrorDetails {
    return this.#details;
  }

  /** The same error with another message and other details. */
  with(message: string, details: ErrorDetails): LockstepError {
    const { code, outcome, retryAfterMs, logLevel, cause } = this;
    const retry = retryAfterMs === null ? {} : { retryAfterMs };
    return new LockstepError(code, message, { outcome, ...retry, details, logLevel, cause });
  }
}

/** `INVALID` with each wrong field. */
export function invalid(errors: FieldFault[]): LockstepError {
  const text = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
  return new LockstepError('INVALID', text, { details: { errors } });
}

/** `INVALID` with one wrong field. */
export const invalidField = (path: string, message: string): LockstepError =>
  invalid([{ path, message }]);

/** Whether the error means that the whole cache is away, rather than that one key failed. */
export const isCacheAway = (error: unknown): boolean =>
  error instanceof LockstepError && error.code === 'CACHE_UNAVAILABLE';

/** `error` as a LockstepError. Any other error is a defect (`INTERNAL`), and becomes the cause. */
export function toLockstepError(error: unknown): LockstepError {
  if (error instanceof LockstepError) return error;
  const message = 'An unexpected error; the log has it under this request id.';
  return new LockstepError('INTERNAL', message, { cause: error });
}
