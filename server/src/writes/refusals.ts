import type { Refusal } from '../database/port.ts';
import {
  entityTagText,
  type ErrorDetails,
  GONE,
  type Key,
  LockstepError,
} from '../domain/index.ts';

/** The caller's error for a write that the database refused; nothing was applied. */
export function refusalError(key: Key, refusal: Refusal): LockstepError {
  const { currentVersion } = refusal;
  switch (refusal.reason) {
    case 'not-found':
      return new LockstepError('NOT_FOUND', `There is no such row in ${key.resource.name}.`);
    case 'version-mismatch':
      return new LockstepError('VERSION_MISMATCH', mismatchText(refusal), {
        details: currentOf(refusal),
      });
    case 'exists':
      return new LockstepError(
        'VERSION_MISMATCH',
        `The row exists already, with version ${currentVersion}.`,
        { details: currentOf(refusal) },
      );
    case 'constraint':
      return new LockstepError('CONSTRAINT', constraintText(refusal), {
        details: { ...refusal.answer, constraint: refusal.constraint },
        logLevel: refusal.kind === 'other' ? 'info' : 'debug',
      });
    case 'forbidden':
      return new LockstepError('FORBIDDEN_BY_DATABASE', FORBIDDEN, {
        details: { ...refusal.answer },
        logLevel: 'warn',
      });
    case 'cancelled':
      return new LockstepError(
        'CONSTRAINT',
        `A trigger or rule of the table (${refusal.constraint}) cancelled the statement; nothing was applied.`,
        { details: { constraint: refusal.constraint } },
      );
    case 'key-changed':
      return new LockstepError(
        'CONSTRAINT',
        `The database would store the row under another key than the one that was given (${refusal.constraint}); nothing was applied.`,
        { details: { constraint: refusal.constraint } },
      );
    case 'invalid':
      return new LockstepError('INVALID', refusal.message, {
        details: {
          ...refusal.answer,
          errors: [{ path: refusal.column ?? 'value', message: refusal.message }],
        },
        logLevel: refusal.answer?.sqlState?.startsWith('22') === false ? 'info' : 'debug',
      });
  }
}

const FORBIDDEN = "The database does not let Lockstep's account write this; nothing was applied.";

/** A refusal without a constraint's name comes from a trigger or function; `details` has the database's answer. */
const constraintText = ({
  kind,
  constraint,
}: Extract<Refusal, { reason: 'constraint' }>): string =>
  kind === 'other' && constraint === 'other'
    ? 'The database refused the write: a trigger, a function or another of its rules.'
    : `The database refused the write: ${kind} constraint ${constraint}.`;

type Mismatch = Extract<Refusal, { reason: 'version-mismatch' | 'exists' }>;

function mismatchText({ currentVersion, currentTag }: Mismatch): string {
  const version = `The key has version ${currentVersion}`;
  if (currentTag === undefined) return `${version}.`;
  if (currentTag === GONE) return `${version}, and another program has deleted its row.`;
  return currentVersion === 0
    ? `${version}: Lockstep has not written its row. Read it first; its ETag is what If-Match must name.`
    : `${version}, and another program has changed its row. Read it first; its ETag is what If-Match must name.`;
}

/** What the caller must name instead. A row that is gone has no entity tag. */
function currentOf({ currentVersion, currentTag }: Mismatch): ErrorDetails {
  if (currentTag === GONE) return { currentVersion };
  const tag = currentTag === undefined ? {} : { tag: currentTag };
  return { currentVersion, etag: entityTagText({ version: currentVersion, ...tag }) };
}
