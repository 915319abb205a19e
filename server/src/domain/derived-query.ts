/**
 * Derived entries: the answers of a query for its parameters, cached like rows.
 *
 * A dependency says from which rows of a table an answer is made: those whose mapped columns equal the parameters. So a
 * changed row makes exactly the answers wrong that its columns name before and after the change. The author of the
 * query must make sure that it reads no other rows.
 */
import type { JsonValue, Row } from '@lockstep/shared';
import { LockstepError } from './errors.ts';
import { keyFromRow } from './key.ts';
import { columnOf, emptyRow } from './row.ts';
import type { Dependency, DerivedQuery, Key, Resource } from './resource.ts';

/** The one column that a derived resource has. */
export const ROWS_COLUMN = 'rows';

export type DerivedResource = Resource & { query: DerivedQuery };

export const isDerived = (resource: Resource): resource is DerivedResource =>
  resource.query !== undefined;

/**
 * @throws LockstepError `INVALID` if the resource cannot be written, locked or leased: it is a query, or its rows can
 *   be written only through another resource
 */
export function assertHasRows(resource: Resource): void {
  const message = readOnlyReason(resource);
  if (message === null) return;
  throw new LockstepError('INVALID', `${message}.`, {
    details: { errors: [{ path: 'resource', message }] },
  });
}

function readOnlyReason(resource: Resource): string | null {
  const { name, table, writtenThrough } = resource;
  if (writtenThrough !== undefined)
    return `${name} is read only, because ${writtenThrough} is strict and names the rows of ${table} by other columns; write ${writtenThrough}`;
  if (!isDerived(resource)) return null;
  const tables = [...new Set(resource.query.dependsOn.map((dependency) => dependency.table))];
  return `${name} is a query; write its tables (${tables.join(', ')})`;
}

/** A value as callers see it: a row, or for a query the list of its rows. */
export function shownValue(resource: Resource, row: Row | null): JsonValue {
  return isDerived(resource) && row !== null ? (row[ROWS_COLUMN] ?? null) : row;
}

/** The key of the answer that a row of the dependency's table belongs to; null if no key can name it. */
export function derivedKey(
  resource: DerivedResource,
  { columns }: Dependency,
  row: Row,
): Key | null {
  const parts = emptyRow();
  for (const [index, { name }] of resource.keyColumns.entries()) {
    const column = columns[index];
    const value = column === undefined ? null : (columnOf(row, column.name) ?? null);
    const isPadded = column?.looseEquality === 'padding' && typeof value === 'string';
    parts[name] = isPadded ? value.replace(/ +$/, '') : value;
  }
  return keyFromRow(resource, parts);
}
