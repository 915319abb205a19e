import type { JsonValue } from './json.ts';
import type { CacheOutcome } from './policy.ts';

/** A kind of call that can carry an error code. An endpoint lists its kinds; the API document derives its codes from them. */
export type CallKind =
  | 'any'
  /** Needs a token. */
  | 'signed-in'
  /** Open to everyone and paced. */
  | 'paced'
  | 'body'
  | 'query'
  /** Names a key of a resource. */
  | 'key'
  /** Names a resource in its body or query. */
  | 'resource'
  /** Names something by its id. */
  | 'item'
  | 'read'
  | 'write'
  /** Writes all rows that match a filter. */
  | 'set'
  /** May be answered by another instance. */
  | 'routed'
  | 'invalidate'
  /** Takes a lock lease. */
  | 'acquire-lease'
  /** Extends or releases a lock lease. */
  | 'lease'
  /** Takes a guard. */
  | 'take-guard'
  /** Tells what became of a guard's transaction. */
  | 'guard'
  /** An operator's call that asks the database. */
  | 'database'
  /** An operator's call that asks the cache. */
  | 'cache';

/**
 * Why a call is refused, and so what its refusal proves to an instance that forwarded the call.
 *
 *   request    the request itself: every instance refuses it, however often it is sent
 *   state      the row, a lock or the load at that moment: the refusal proves nothing about another attempt
 *   server     the database, the cache or the lock nodes do not answer; this proves as little as `state`
 *   stopping   the instance is stopping and did nothing: another one can serve the call
 *   stranger   the instance is not the one that was meant, or has other tokens or resources, and did nothing
 */
export type RefusalReason = 'request' | 'state' | 'server' | 'stopping' | 'stranger';

interface ErrorMeaning {
  /** HTTP status. */
  status: number;
  /** The same request may succeed later. */
  retryable: boolean;
  title: string;
  reason: RefusalReason;
  /** What became of the write unless the error says otherwise. */
  outcome: Outcome;
  /** The calls that can carry the code; empty: only requests that never become a call. */
  calls: readonly CallKind[];
}

const certain = { outcome: 'not_applied', retryable: false } as const;
const retryable = { outcome: 'not_applied', retryable: true } as const;

/**
 * All that a code of an error answer means. To add a code, add its row here and throw it: the API document, its pages,
 * the problem documents and the routing between instances read this table.
 *
 * Callers branch on `code`, never on text. Problem documents follow RFC 9457.
 */
export const ERROR_CODES = {
  MALFORMED: {
    ...certain,
    status: 400,
    title: 'The request could not be parsed',
    reason: 'request',
    calls: ['body', 'key', 'item'],
  },
  UNAUTHENTICATED: {
    ...certain,
    status: 401,
    title: 'A valid bearer token is required',
    reason: 'stranger',
    calls: ['signed-in'],
  },
  FORBIDDEN: {
    ...certain,
    status: 403,
    title: 'This token may not do that',
    reason: 'state',
    calls: ['signed-in'],
  },
  FORBIDDEN_BY_DATABASE: {
    ...certain,
    status: 403,
    title: 'The database does not let Lockstep do this',
    reason: 'state',
    calls: ['read', 'write', 'database'],
  },
  UNKNOWN_RESOURCE: {
    ...certain,
    status: 404,
    title: 'No such resource is configured',
    reason: 'stranger',
    calls: ['key', 'resource'],
  },
  NOT_FOUND: {
    ...certain,
    status: 404,
    title: 'Not found',
    reason: 'state',
    calls: ['read', 'write', 'item'],
  },
  NOT_CACHED: {
    ...certain,
    status: 404,
    title: 'Nothing is cached, and only a client can compute it',
    reason: 'state',
    calls: ['read'],
  },
  UNKNOWN_LEASE: {
    ...certain,
    status: 404,
    title: 'No such lease',
    reason: 'state',
    calls: ['write', 'lease'],
  },
  UNKNOWN_GUARD: {
    ...certain,
    status: 404,
    title: 'No such guard',
    reason: 'state',
    calls: ['guard'],
  },
  METHOD_NOT_ALLOWED: {
    ...certain,
    status: 405,
    title: 'This method is not supported here',
    reason: 'request',
    calls: ['any'],
  },
  REQUEST_TIMEOUT: {
    ...retryable,
    status: 408,
    title: 'The request was not sent in time',
    reason: 'state',
    calls: ['any'],
  },
  FENCED: {
    ...retryable,
    status: 409,
    title: 'A newer holder has this key',
    reason: 'state',
    calls: ['write', 'acquire-lease', 'take-guard', 'lease'],
  },
  GUARD_LOST: {
    ...certain,
    status: 409,
    title: 'The guard was over before its transaction was told',
    reason: 'state',
    calls: ['guard'],
  },
  CONSTRAINT: {
    ...certain,
    status: 409,
    title: 'The database refused the write',
    reason: 'state',
    calls: ['write'],
  },
  VERSION_MISMATCH: {
    ...certain,
    status: 412,
    title: 'The version is not the expected one',
    reason: 'state',
    calls: ['read', 'write'],
  },
  TOO_LARGE: {
    ...certain,
    status: 413,
    title: 'The request is too large',
    reason: 'state',
    calls: ['body', 'read', 'set'],
  },
  UNSUPPORTED_MEDIA_TYPE: {
    ...certain,
    status: 415,
    title: 'The body must be JSON',
    reason: 'request',
    calls: ['body'],
  },
  MISDIRECTED: {
    ...retryable,
    status: 421,
    title: 'Another instance was meant',
    reason: 'stranger',
    calls: ['routed'],
  },
  INVALID: {
    ...certain,
    status: 422,
    title: 'The request is not valid',
    reason: 'request',
    calls: ['body', 'query', 'key'],
  },
  IDEMPOTENCY_KEY_REUSED: {
    ...certain,
    status: 422,
    title: 'The idempotency key belongs to another request',
    reason: 'request',
    calls: ['write'],
  },
  QUEUE_FULL: {
    ...retryable,
    status: 429,
    title: 'Too many callers wait for this key',
    reason: 'state',
    calls: ['write', 'acquire-lease', 'take-guard'],
  },
  RATE_LIMITED: {
    ...retryable,
    status: 429,
    title: 'Too many requests',
    reason: 'state',
    calls: ['signed-in', 'paced'],
  },
  HEADERS_TOO_LARGE: {
    ...certain,
    status: 431,
    title: 'The headers are too large',
    reason: 'request',
    calls: ['any'],
  },
  INTERNAL: {
    ...certain,
    status: 500,
    title: 'A defect in Lockstep',
    reason: 'state',
    calls: ['any'],
  },
  LOCK_TIMEOUT: {
    ...retryable,
    status: 503,
    title: 'The lock was not free in time',
    reason: 'state',
    calls: ['write', 'acquire-lease', 'take-guard'],
  },
  LOCKS_UNAVAILABLE: {
    ...retryable,
    status: 503,
    title: 'No majority of lock nodes answers',
    reason: 'server',
    calls: ['write', 'acquire-lease', 'take-guard'],
  },
  DATABASE_UNAVAILABLE: {
    ...retryable,
    status: 503,
    title: 'The database does not answer',
    reason: 'server',
    calls: [
      'signed-in',
      'read',
      'write',
      'invalidate',
      'acquire-lease',
      'take-guard',
      'guard',
      'lease',
      'database',
    ],
  },
  CACHE_UNAVAILABLE: {
    ...retryable,
    status: 503,
    title: 'The cache does not answer',
    reason: 'server',
    calls: ['write', 'acquire-lease', 'take-guard', 'cache'],
  },
  SHUTTING_DOWN: {
    ...retryable,
    status: 503,
    title: 'This instance is shutting down',
    reason: 'stopping',
    calls: ['write', 'invalidate', 'acquire-lease', 'take-guard', 'guard', 'lease', 'routed'],
  },
  OUTCOME_UNKNOWN: {
    status: 504,
    retryable: true,
    outcome: 'unknown',
    title: 'The write was sent and no answer came',
    reason: 'state',
    calls: ['write'],
  },
} as const satisfies Record<string, ErrorMeaning>;

/** An error code of the API. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether a text, such as one in another instance's answer, is a code that this version knows. */
export const isErrorCode = (text: unknown): text is ErrorCode =>
  typeof text === 'string' && Object.hasOwn(ERROR_CODES, text);

/** What became of a write. `unknown`: the commit was sent and no answer came. */
export type Outcome = 'applied' | 'not_applied' | 'unknown';

/** One wrong field of a request or configuration: its path, what is wrong, and what is allowed. */
export interface FieldFault {
  path: string;
  message: string;
}

/** What an error says besides its code. Nothing else reaches a caller. */
export interface ErrorDetails {
  /** `INVALID`: each wrong field. */
  errors?: FieldFault[];
  /** `VERSION_MISMATCH`: the version that the key has. */
  currentVersion?: number;
  /** `GUARD_LOST`, if the transaction has committed: the version that it gave the key; of several keys the first one's. */
  version?: number;
  /** `GUARD_LOST`: the keys that the transaction has changed. */
  results?: { resource: string; key: JsonValue; version: number; cache: CacheOutcome }[];
  /** `VERSION_MISMATCH`: the entity tag of the row as it is; absent if there is no row. */
  etag?: string;
  /** `CONSTRAINT`: the name of the constraint, never its values. */
  constraint?: string;
  /** What the database refused a statement with: five characters. */
  sqlState?: string;
  /** On MySQL and MariaDB, the number of the error. */
  errorNumber?: number;
  /** The table and column that the database named. */
  table?: string;
  column?: string;
  /** What the author of a trigger or function of the database wrote. Sent to the caller, never logged. */
  message?: string;
  /** Of a transaction: which of its operations, from 0, was refused. */
  operation?: number;
  /** `NOT_FOUND` on a read: what the caller has seen now, to read on with (the header `Lockstep-Token`). */
  token?: string;
}

/** An RFC 9457 problem document as Lockstep answers it. */
export interface Problem extends ErrorDetails {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  outcome: Outcome;
  retryable: boolean;
  requestId: string;
}
