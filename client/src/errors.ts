import {
  ERROR_CODES,
  type ErrorCode as ServerCode,
  type ErrorDetails as ServerDetails,
  type FieldFault,
  isErrorCode,
  isJsonObject,
  type JsonValue,
  type Outcome,
} from '@lockstep/shared/for-clients';

export type { FieldFault, Outcome };

/**
 * Codes that the client makes itself.
 *   COORDINATOR_UNAVAILABLE  no coordinator could be reached, or what answered was none
 *   TIMEOUT                  the call's `timeoutMs` ran out before anything was sent that could have an effect
 *   ABORTED                  the caller's signal fired; `outcome` says whether the write may have been applied
 *   CLOSED                   the client is closed
 *   LEASE_LOST               the lease is over, or can no longer be proved to be held
 *   CORRUPT_ENTRY            the row in an entry is no JSON; the next read of it goes to the coordinator
 */
const CLIENT_CODES = {
  COORDINATOR_UNAVAILABLE: { status: 503, retryable: true },
  TIMEOUT: { status: 504, retryable: true },
  ABORTED: { status: 499, retryable: false },
  CLOSED: { status: 503, retryable: false },
  LEASE_LOST: { status: 409, retryable: false },
  CORRUPT_ENTRY: { status: 500, retryable: true },
} as const;

export type ErrorCode = ServerCode | keyof typeof CLIENT_CODES;

export interface ErrorDetails extends ServerDetails {
  /** The coordinator's name of the request, to be found in its log. */
  requestId?: string;
  /** With which key the write can be repeated: the repeat applies nothing twice and answers what became of it. */
  idempotencyKey?: string;
}

interface Meaning {
  status?: number;
  outcome?: Outcome;
  retryable?: boolean;
  details?: ErrorDetails;
  cause?: unknown;
}

/**
 * What every failed call rejects with. Branch on `code`.
 *
 * `outcome` says what became of a write: `not_applied` (also of everything that is no write), or `unknown` where it was
 * sent and not answered. It is never a guess.
 */
export class LockstepError extends Error {
  readonly code: ErrorCode;
  /** The HTTP status that the coordinator gave it, or would have given it. */
  readonly status: number;
  readonly outcome: Outcome;
  /** The same call may succeed later. */
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, meaning: Meaning = {}) {
    super(message, meaning.cause === undefined ? undefined : { cause: meaning.cause });
    const usual = usualMeaning(code);
    this.name = 'LockstepError';
    this.code = code;
    this.status = meaning.status ?? usual.status;
    this.outcome = meaning.outcome ?? usual.outcome ?? 'not_applied';
    this.retryable = meaning.retryable ?? usual.retryable;
    this.details = meaning.details ?? {};
  }
}

const DETAILS = [
  ...['errors', 'currentVersion', 'etag', 'constraint', 'sqlState', 'errorNumber', 'table'],
  ...['column', 'message', 'operation', 'token', 'requestId', 'version', 'results'],
] as const;

/** The error that a problem document tells; null where the body is none. */
export function errorOfProblem(body: unknown): LockstepError | null {
  if (!isJsonObject(body)) return null;
  const { code, detail, status, outcome, retryable } = body;
  if (typeof code !== 'string' || typeof status !== 'number') return null;
  const details: Record<string, JsonValue> = {};
  for (const name of DETAILS) {
    const value = body[name];
    if (value !== undefined) details[name] = value;
  }
  // A code of a later release: its own words say what it means.
  return new LockstepError(code as ErrorCode, typeof detail === 'string' ? detail : code, {
    status,
    outcome: outcome === 'applied' || outcome === 'unknown' ? outcome : 'not_applied',
    retryable: retryable === true,
    details,
  });
}

/** A call with wrong arguments. Nothing was sent. */
export const invalidArgument = (path: string, message: string): LockstepError =>
  new LockstepError('INVALID', `${path} ${message}`, { details: { errors: [{ path, message }] } });

function usualMeaning(code: ErrorCode): { status: number; retryable: boolean; outcome?: Outcome } {
  if (isErrorCode(code)) return ERROR_CODES[code];
  // A code of a later release is in neither table.
  const known: Partial<Record<string, { status: number; retryable: boolean }>> = CLIENT_CODES;
  return known[code] ?? { status: 500, retryable: false };
}
