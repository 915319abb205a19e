/**
 * Derived entries: what a query answers for its parameters, cached like a row.
 *
 * A dependency says of which rows of a table an answer is made: those whose mapped columns equal the parameters. A row
 * that changes therefore makes the answers wrong that its columns name before and after the change, and no others; that
 * the query reads no other rows is its author's word.
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
 * @throws LockstepError `INVALID` where the resource is a query, or its rows are another one's to write: nobody writes,
 *   locks or leases it
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
    return `${name} is read only, for ${writtenThrough} is strict and names the rows of ${table} otherwise; write ${writtenThrough}`;
  if (!isDerived(resource)) return null;
  const tables = [...new Set(resource.query.dependsOn.map((dependency) => dependency.table))];
  return `${name} is a query; write its tables (${tables.join(', ')})`;
}

/** A row as callers see it: a derived entry is the list of its rows. */
export function shownValue(resource: Resource, row: Row | null): JsonValue {
  return isDerived(resource) && row !== null ? (row[ROWS_COLUMN] ?? null) : row;
}

/** The answer that a row of the dependency's table belongs to; null where no key can name it. */
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
