import type { Column, Resource } from '../../domain/index.ts';

/** Columns that a replacing put sets; generated ones and the key are left, and numbers that the database draws. */
export function replacedColumns(resource: Resource, given: ReadonlySet<string>): Column[] {
  return resource.columns.filter(
    (column) =>
      !column.generated &&
      !isKeyColumn(resource, column) &&
      (column.identity !== true || given.has(column.name)),
  );
}

export function isKeyColumn(resource: Resource, column: Column): boolean {
  return resource.keyColumns.some((key) => key.name === column.name);
}
