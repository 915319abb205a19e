/**
 * Reads of keys that their column, or the whole database, cannot hold: characters that its set lacks, a text that is no
 * member of an enumeration, a date beyond the last one. No row can be there. Other values that do not fit say nothing of
 * the kind: a view may compute with what a row holds.
 */
import type { Key } from '../../domain/index.ts';
import type { VersionedRow } from '../port.ts';
import type { ErrorCodes } from '../statements/error-codes.ts';
import { StatementFailure } from '../connections/statement-failure.ts';

/** Types of which no key is made that their columns cannot hold. */
const HELD = new Set(['integer', 'bigint', 'text', 'boolean', 'uuid']);

/** Which errors say that a value does not fit. */
type Codes = Pick<ErrorCodes, 'outsideCharset' | 'outsideType'>;

function isUnheld(codes: Codes, key: Key, error: unknown): boolean {
  if (!(error instanceof StatementFailure)) return false;
  return (
    (codes.outsideCharset.includes(error.code) && /[^\x20-\x7e]/.test(key.text)) ||
    (codes.outsideType.includes(error.code) &&
      key.resource.keyColumns.some(({ type }) => !HELD.has(type)))
  );
}

/** The answer to a read of the key that failed. @throws `error` where it says something else */
export function noSuchRow(codes: Codes, key: Key, error: unknown): VersionedRow {
  if (!isUnheld(codes, key, error)) throw error;
  return { version: 0, fence: 0, row: null };
}

/** The answers to a read of many keys that failed, one by one. @throws `error` where it says something else */
export async function readEach(
  codes: Codes,
  keys: readonly Key[],
  error: unknown,
  read: (key: Key) => Promise<VersionedRow>,
): Promise<VersionedRow[]> {
  if (!keys.some((key) => isUnheld(codes, key, error))) throw error;
  const rows: VersionedRow[] = [];
  for (const key of keys) rows.push(await read(key));
  return rows;
}
