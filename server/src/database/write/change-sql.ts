/** The parts of a change's SQL that depend on its columns, and the values of their placeholders. */
import type { Row } from '@lockstep/shared';
import { columnOf, type Change, type Column, type Key, type Resource } from '../../domain/index.ts';
import type { SqlValue } from '../statements/sql.ts';
import { encodeValue, type ValueDialect } from '../values/row-text.ts';

/** How a dialect spells what a change brings along. The row is `r`. */
export interface ChangeSql {
  quote(name: string): string;
  /** A part of the key. */
  keyPart(column: Column, index: number): string;
  /** The value that the column at `index` is set to. */
  set(index: number): string;
  /** What is added to the column. */
  step(column: Column, index: number): string;
}

/** Columns that a replacing put sets: not the key, not generated ones, and numbers that the database draws only if given. */
export const replacedColumns = (resource: Resource, set: Row): Column[] =>
  resource.columns.filter((column) => isReplaced(resource, column, set));

const isReplaced = (resource: Resource, column: Column, set: Row): boolean =>
  !column.generated &&
  !isKeyColumn(resource, column) &&
  (column.identity !== true || Object.hasOwn(set, column.name));

export const isKeyColumn = (resource: Resource, column: Column): boolean =>
  resource.keyColumns.some((key) => key.name === column.name);

/** Whether the row `r` is the key's. */
export const isKeySql = (sql: ChangeSql, { keyColumns }: Resource): string =>
  keyColumns
    .map((column, index) => `r.${sql.quote(column.name)} = ${sql.keyPart(column, index)}`)
    .join(' and ');

/** What a patch, or a put of a row that is there, sets the columns to. */
export function assignmentsSql(
  sql: ChangeSql,
  resource: Resource,
  change: Exclude<Change, { op: 'delete' }>,
): string {
  const assignments = resource.columns.flatMap((column, index) => {
    const isLeft =
      change.op === 'put'
        ? !isReplaced(resource, column, change.set)
        : isKeyColumn(resource, column);
    if (isLeft) return [];
    const name = sql.quote(column.name);
    if (Object.hasOwn(change.set, column.name)) return [`${name} = ${sql.set(index)}`];
    if (change.op === 'put') return [`${name} = default`];
    if (!Object.hasOwn(change.increment, column.name)) return [];
    return [`${name} = r.${name} + ${sql.step(column, index)}`];
  });
  if (assignments.length > 0) return assignments.join(', ');
  const name = sql.quote(resource.keyColumns[0]?.name ?? '');
  return `${name} = r.${name}`;
}

/** The columns that an insert names, and their values. */
export function insertSql(
  sql: ChangeSql,
  resource: Resource,
  set: Row,
): { names: string; values: string } {
  const names = resource.keyColumns.map(({ name }) => sql.quote(name));
  const values = resource.keyColumns.map((column, index) => sql.keyPart(column, index));
  for (const [index, column] of resource.columns.entries()) {
    if (!Object.hasOwn(set, column.name) || isKeyColumn(resource, column)) continue;
    names.push(sql.quote(column.name));
    values.push(sql.set(index));
  }
  return { names: names.join(', '), values: values.join(', ') };
}

/** The values of `:resource`, `:key` and of the key's parts (`:key_0`). */
export function keyBindings(values: ValueDialect, key: Key): Record<string, SqlValue> {
  const bindings: Record<string, SqlValue> = { resource: key.rows, key: key.rowText };
  for (const [index, part] of key.parts.entries()) {
    const column = key.resource.keyColumns[index];
    if (column !== undefined) bindings[`key_${index}`] = values.keyPart(column, part);
  }
  return bindings;
}

/** Adds the values that the change brings along (`:set_0`, `:inc_0`). */
export function bindChange(
  values: ValueDialect,
  { columns }: Resource,
  change: Change,
  bindings: Record<string, SqlValue>,
): void {
  if (change.op === 'delete') return;
  for (const [index, column] of columns.entries()) {
    const value = columnOf(change.set, column.name);
    if (value !== undefined) bindings[`set_${index}`] = encodeValue(values, column, value);
    else if (change.op === 'patch') {
      const step = columnOf(change.increment, column.name);
      if (step !== undefined) bindings[`inc_${index}`] = step;
    }
  }
}
