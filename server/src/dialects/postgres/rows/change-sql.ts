/** Parts of the SQL of a write that depend on its resource's columns and on its shape. */
import type { Change, Column, ColumnType, Resource } from '../../../domain/index.ts';
import type { RowWrite } from '../../../database/port.ts';
import { type ChangeSql, insertSql, replacedColumns } from '../../../database/write/change-sql.ts';
import { keyType, quote } from './names.ts';

/** The type that a step is added in: what does not fit the column then fails in the assignment. */
const STEP_TYPES: Partial<Record<ColumnType, string>> = {
  integer: 'bigint',
  bigint: 'bigint',
  real: 'double precision',
  float: 'double precision',
};

export const stepType = ({ type }: Column): string => STEP_TYPES[type] ?? 'numeric';

export const pgChange: ChangeSql = {
  quote,
  keyPart: (column, index) => `:key_${index}::${keyType(column)}`,
  set: (index) => `:set_${index}`,
  step: (column, index) => `:inc_${index}::${stepType(column)}`,
};

/** On what the row `k` of `lockstep_keys` admits the write. */
export function admitted(write: RowWrite): string {
  const conditions = [
    write.fence === undefined ? [] : ['k.fence < excluded.fence'],
    write.heldFences === undefined ? [] : ['k.fence = any(:held_fences::bigint[])'],
    write.ifMatch === undefined ? [] : ['k.version = :if_match::bigint'],
  ].flat();
  return conditions.length === 0 ? 'true' : conditions.join(' and ');
}

type Put = Extract<Change, { op: 'put' }>;

export const insertFragments = (resource: Resource, { set }: Put) => ({
  ...insertSql(pgChange, resource, set),
  overriding: resource.keyColumns.some((column) => column.generated)
    ? 'overriding system value'
    : '',
});

/** @param unchanged on what the row that is there is replaced; null: always */
export function putFragments(resource: Resource, change: Put, unchanged: string | null) {
  const replaced = replacedColumns(resource, change.set);
  // Those that are not given have their default in `excluded`.
  const replacement = (replaced.length > 0 ? replaced : resource.keyColumns.slice(0, 1))
    .map((column) => `${quote(column.name)} = excluded.${quote(column.name)}`)
    .join(', ');
  return {
    ...insertFragments(resource, change),
    key: resource.keyColumns.map((column) => quote(column.name)).join(', '),
    onConflict: change.onlyCreate
      ? 'do nothing'
      : `do update set ${replacement}${unchanged === null ? '' : ` where ${unchanged}`}`,
  };
}
