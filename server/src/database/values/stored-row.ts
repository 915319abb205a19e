import type { JsonValue, Row } from '@lockstep/shared';
import { columnOf, type Column, type ColumnType, type Resource } from '../../domain/index.ts';
import { decodeRow } from './row-text.ts';

/**
 * A row as it is stored beside a write. PostgreSQL's write statement stores it itself, in the same round trip, as the
 * database's own texts and the types to read them by; elsewhere it stands in canonical form. Both are read without
 * the resource, which may have changed since.
 */
export type StoredRow = Row | (string | null)[] | null;
export type StoredColumns = [name: string, type: ColumnType][];

/** The `columns` of a stored row, as JSON text. */
export function describeColumns(columns: readonly Column[]): string {
  return JSON.stringify(columns.map((column) => [column.name, column.type]));
}

export function readStoredRow(stored: StoredRow, columns: StoredColumns = []): Row | null {
  if (!Array.isArray(stored)) return stored;
  return decodeRow(
    columns.map(([name, type]) => ({ name, type })),
    stored,
  );
}

/** Columns of the `invalidates` templates, in the order of the resource's columns. */
export function relatedColumns(resource: Resource): Column[] {
  const names = new Set(resource.invalidates.flatMap((template) => template.columns));
  return resource.columns.filter((column) => names.has(column.name));
}

/** Those columns of a row. */
export function pickRelated(columns: readonly Column[], row: Row | null): Row | null {
  if (row === null || columns.length === 0) return null;
  return Object.fromEntries(
    columns.map(({ name }): [string, JsonValue] => [name, columnOf(row, name) ?? null]),
  );
}
