/**
 * What programs with their own access to the database use beside the client, and what the packages for ORMs are made of:
 * statements for their transactions, and rows by their key from the cache with the values that the database would give.
 */
import { type ColumnMap, rowOfKinds } from './column-kinds.ts';
import { LockstepError } from './errors.ts';
import type { AnySchema, Key, Operations } from './types.ts';

export { type ColumnKind, type ColumnMap, columnMapOf, type RowOfKinds } from './column-kinds.ts';
export { type Dialect, invalidateSql } from './statements.ts';
export type { SqlStatement } from './types.ts';

/** Reads a row by its key: a client or one of its sessions. */
export type KeyReader = Pick<Operations<AnySchema>, 'get'>;

/**
 * A row by its key, through the client. The database is read where the cache's row cannot be given as these kinds, or
 * where neither cache nor coordinator answers.
 * @param fromDatabase the same row, as the program reads it itself
 * @returns null where there is none
 * @throws LockstepError what cannot succeed later, such as `UNKNOWN_RESOURCE`; what `fromDatabase` throws
 */
export async function readThrough<T>(
  lockstep: KeyReader,
  [resource, key]: readonly [resource: string, key: Key],
  columns: ColumnMap,
  fromDatabase: () => Promise<T | null>,
): Promise<Record<string, unknown> | T | null> {
  let row: Record<string, unknown> | undefined;
  try {
    const found = await lockstep.get(resource, key);
    if (found === null) return null;
    row = rowOfKinds(columns, found.value);
  } catch (error) {
    if (!(error instanceof LockstepError && error.retryable)) throw error;
  }
  return row ?? fromDatabase();
}

/**
 * A part of a key as Lockstep takes it: instants as their text, bytes as base64.
 * @throws TypeError where it is nothing that a key can have
 */
export function keyPartOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value instanceof Date) return value.toISOString();
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      throw new TypeError(
        'A part of a key must be text, a number, a truth value, a date or bytes.',
      );
  }
}

/**
 * The columns of a key, each with its part.
 * @throws TypeError where there are not as many parts
 */
export function keyPartsOf(columns: readonly string[], key: Key): [column: string, part: string][] {
  const parts = typeof key === 'object' ? key : [key];
  if (parts.length !== columns.length)
    throw new TypeError(
      `The key has ${parts.length} parts, and the resource's has ${columns.length}.`,
    );
  return columns.map((column, index) => [column, keyPartOf(parts[index])]);
}
