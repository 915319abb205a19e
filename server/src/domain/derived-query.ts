/**
 * Derived entries: the answers of a query, or of a service's loader, for its parameters, cached like rows.
 *
 * A dependency says from which rows of a table an answer is made: those whose mapped columns equal the parameters. So a
 * changed row makes exactly the answers wrong that its columns name before and after the change. The author of the
 * query or loader must make sure that it reads no other rows.
 */
import type { JsonValue, Row } from '@lockstep/shared';
import { LockstepError } from './errors.ts';
import { keyFromRow } from './key.ts';
import { columnOf, emptyRow } from './row.ts';
import type {
  Dependency,
  Derivation,
  Key,
  LoaderSource,
  QuerySource,
  Resource,
} from './resource.ts';

/** The one column of a query. */
export const ROWS_COLUMN = 'rows';
/** The one column of a computed resource. */
export const VALUE_COLUMN = 'value';

export type DerivedResource = Resource & { derivation: Derivation };
export type QueryResource = Resource & { derivation: Derivation & { source: QuerySource } };
export type ComputedResource = Resource & { derivation: Derivation & { source: LoaderSource } };

export const isDerived = (resource: Resource): resource is DerivedResource =>
  resource.derivation !== undefined;

export const isQuery = (resource: Resource): resource is QueryResource =>
  resource.derivation?.source.kind === 'query';

/** Whether only a client, with a loader of its service, can make the resource's values. */
export const isComputed = (resource: Resource): resource is ComputedResource =>
  resource.derivation?.source.kind === 'loader';

/** What a read of a computed resource answers where nothing is cached. */
export const notCached = ({ name }: ComputedResource): LockstepError =>
  new LockstepError(
    'NOT_CACHED',
    `Nothing is cached for this key. ${name} is computed: its values are made by a loader of a client.`,
  );

/**
 * @throws LockstepError `INVALID` if the resource cannot be written, locked or leased: it is a query or computed, or its
 *   rows can be written only through another resource
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
  const { dependsOn } = resource.derivation;
  const tables = [...new Set(dependsOn.map((dependency) => dependency.table))];
  const what = isQuery(resource) ? 'a query' : 'computed';
  return `${name} is ${what}; write its tables (${tables.join(', ')})`;
}

/** Why a cached value cannot be the resource's, such as an answer without its list of rows; null if it can. */
export function unfitReason(resource: Resource, row: Row | null): string | null {
  if (row === null || !isDerived(resource)) return null;
  const isWhole = isQuery(resource)
    ? Array.isArray(row[ROWS_COLUMN])
    : Object.hasOwn(row, VALUE_COLUMN);
  return isWhole ? null : 'body without its value';
}

/** A value as callers see it: a row, or for a derived resource what stands in its one column. */
export function shownValue(resource: Resource, row: Row | null): JsonValue {
  if (!isDerived(resource) || row === null) return row;
  return row[isQuery(resource) ? ROWS_COLUMN : VALUE_COLUMN] ?? null;
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
