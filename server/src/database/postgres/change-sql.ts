/** Parts of the SQL of a write that depend on its resource's columns and on its shape. */
import type { Change, Resource } from '../../domain/index.ts';
import { keyType, quote, STEP_TYPES } from './names.ts';
import type { RowWrite } from '../port.ts';
import { isKeyColumn, replacedColumns } from '../write/put-columns.ts';

/** Whether the row `r` is the key's. */
export function isKeySql({ keyColumns }: Resource): string {
  return keyColumns
    .map((column, index) => `r.${quote(column.name)} = :key_${index}::${keyType(column)}`)
    .join(' and ');
}

/** On what the row `k` of `lockstep_keys` admits the write. */
export function admitted(write: RowWrite): string {
  const conditions = [
    write.fence === undefined ? [] : ['k.fence < excluded.fence'],
    write.heldFences === undefined ? [] : ['k.fence = any(:held_fences::bigint[])'],
    write.ifMatch === undefined ? [] : ['k.version = :if_match::bigint'],
  ].flat();
  return conditions.length === 0 ? 'true' : conditions.join(' and ');
}

/** The columns that an insert names, and their values. */
export function insertFragments(
  resource: Resource,
  { set }: Extract<Change, { op: 'put' }>,
): { names: string; values: string; overriding: string } {
  const { keyColumns, columns } = resource;
  const given = columns.flatMap((column, index) =>
    Object.hasOwn(set, column.name) && !isKeyColumn(resource, column)
      ? [{ name: quote(column.name), value: `:set_${index}` }]
      : [],
  );
  const key = keyColumns.map((column, index) => ({
    name: quote(column.name),
    value: `:key_${index}::${keyType(column)}`,
  }));
  return {
    names: [...key, ...given].map(({ name }) => name).join(', '),
    overriding: keyColumns.some((column) => column.generated) ? 'overriding system value' : '',
    values: [...key, ...given].map(({ value }) => value).join(', '),
  };
}

export function putFragments(
  resource: Resource,
  change: Extract<Change, { op: 'put' }>,
  unchanged: string | null,
): Record<string, string> {
  const names = new Set(Object.keys(change.set));
  return {
    ...insertFragments(resource, change),
    key: resource.keyColumns.map((column) => quote(column.name)).join(', '),
    onConflict: change.onlyCreate
      ? 'do nothing'
      : `do update set ${replacement(resource, names)}${unchanged === null ? '' : ` where ${unchanged}`}`,
  };
}

/** What a replacing put sets the columns of a row that is there to. */
export function replacingAssignments(
  resource: Resource,
  { set }: Extract<Change, { op: 'put' }>,
): string {
  const assignments = replacedColumns(resource, new Set(Object.keys(set))).map((column) => {
    const value = Object.hasOwn(set, column.name)
      ? `:set_${resource.columns.indexOf(column)}`
      : 'default';
    return `${quote(column.name)} = ${value}`;
  });
  return assignments.length > 0 ? assignments.join(', ') : unchanged(resource);
}

export function patchAssignments(
  resource: Resource,
  { set, increment }: Extract<Change, { op: 'patch' }>,
): string {
  const assignments = resource.columns.flatMap((column, index) => {
    const name = quote(column.name);
    if (isKeyColumn(resource, column)) return [];
    if (Object.hasOwn(set, column.name)) return [`${name} = :set_${index}`];
    if (!Object.hasOwn(increment, column.name)) return [];
    const type = STEP_TYPES[column.type] ?? 'numeric';
    return [`${name} = r.${name} + :inc_${index}::${type}`];
  });
  return assignments.length > 0 ? assignments.join(', ') : unchanged(resource);
}

function unchanged({ keyColumns }: Resource): string {
  const name = quote(keyColumns[0]?.name ?? '');
  return `${name} = r.${name}`;
}

/** Every writable column: those that are not given have their default in `excluded`. */
function replacement(resource: Resource, given: ReadonlySet<string>): string {
  const replaced = replacedColumns(resource, given);
  const columns = replaced.length > 0 ? replaced : resource.keyColumns.slice(0, 1);
  return columns
    .map((column) => `${quote(column.name)} = excluded.${quote(column.name)}`)
    .join(', ');
}
