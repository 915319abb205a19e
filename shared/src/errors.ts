/**
 * Every code that an error answer can carry, with its HTTP status and whether the same request may succeed later.
 * Callers branch on `code`, never on text. Problem documents follow RFC 9457.
 */
export const ERROR_CODES = {
  MALFORMED: { status: 400, retryable: false, title: 'The request could not be parsed' },
  UNAUTHENTICATED: { status: 401, retryable: false, title: 'A valid bearer token is required' },
  FORBIDDEN: { status: 403, retryable: false, title: 'This token may not do that' },
  FORBIDDEN_BY_DATABASE: {
    status: 403,
    retryable: false,
    title: 'The database does not let Lockstep do this',
  },
  UNKNOWN_RESOURCE: { status: 404, retryable: false, title: 'No such resource is configured' },
  NOT_FOUND: { status: 404, retryable: false, title: 'Not found' },
  UNKNOWN_LEASE: { status: 404, retryable: false, title: 'No such lease' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, title: 'This method is not supported here' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, title: 'The request was not sent in time' },
  FENCED: { status: 409, retryable: true, title: 'A newer turn holds this key' },
  CONSTRAINT: { status: 409, retryable: false, title: 'The database refused the write' },
  VERSION_MISMATCH: { status: 412, retryable: false, title: 'The version is not the expected one' },
  TOO_LARGE: { status: 413, retryable: false, title: 'The request is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, title: 'The body must be JSON' },
  MISDIRECTED: { status: 421, retryable: true, title: 'Another instance was meant' },
  INVALID: { status: 422, retryable: false, title: 'The request is not valid' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retryable: false,
    title: 'The idempotency key belongs to another request',
  },
  HEADERS_TOO_LARGE: { status: 431, retryable: false, title: 'The headers are too large' },
  QUEUE_FULL: { status: 429, retryable: true, title: 'Too many callers wait for this key' },
  RATE_LIMITED: { status: 429, retryable: true, title: 'Too many requests' },
  LOCK_TIMEOUT: { status: 503, retryable: true, title: 'The lock was not free in time' },
  LOCKS_UNAVAILABLE: { status: 503, retryable: true, title: 'No majority of lock nodes answers' },
  DATABASE_UNAVAILABLE: { status: 503, retryable: true, title: 'The database does not answer' },
  CACHE_UNAVAILABLE: { status: 503, retryable: true, title: 'The cache does not answer' },
  SHUTTING_DOWN: { status: 503, retryable: true, title: 'This instance is shutting down' },
  OUTCOME_UNKNOWN: { status: 504, retryable: true, title: 'The write was sent and no answer came' },
  INTERNAL: { status: 500, retryable: false, title: 'A defect in Lockstep' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

/** An error code of the API. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What became of a write. `unknown`: the commit was sent and no answer came. */
export type Outcome = 'applied' | 'not_applied' | 'unknown';

/** One wrong field of a request or configuration: its path, what is wrong, and what is allowed. */
export interface FieldFault {
  path: string;
  message: string;
}

/** An RFC 9457 problem document as Lockstep answers it. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  outcome: Outcome;
  retryable: boolean;
  requestId: string;
  /** `INVALID`: each wrong field. */
  errors?: FieldFault[];
  /** `VERSION_MISMATCH`: the version that the key has. */
  currentVersion?: number;
  /** `CONSTRAINT`: the name of the constraint, never its values. */
  constraint?: string;
  /** What the database refused a statement with: five characters. */
  sqlState?: string;
  /** On MySQL and MariaDB, the number of the error. */
  errorNumber?: number;
  /** The table and column that the database named. */
  table?: string;
  column?: string;
  /** What the author of a trigger or function of the database wrote. */
  message?: string;
  /** Of a transaction: which of its operations, from 0, was refused. */
  operation?: number;
  /** `NOT_FOUND` on a read: what the caller has seen now, to read on with. */
  token?: string;
}
