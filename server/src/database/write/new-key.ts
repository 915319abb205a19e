/** The key of a new row, from the parts that its caller gives and those that the database makes. */
import { type Column, columnOf, LockstepError, makeKey, type NewRow } from '../../domain/index.ts';
import type { Row } from '@lockstep/shared';
import type { NewKey } from '../port.ts';

/** The columns of the key that the caller leaves out, by how the database makes them. */
export interface LeftOut {
  /** By an expression of its catalog. */
  evaluated: readonly Column[];
  /** While it inserts the row; at most one column of a table. */
  numbered: Column | null;
}

export function leftOut({ resource, parts }: NewRow): LeftOut {
  const columns = resource.keyColumns.filter(({ name }) => !Object.hasOwn(parts, name));
  return {
    evaluated: columns.filter(({ defaultSql }) => defaultSql !== undefined),
    numbered:
      columns.find(({ defaultSql, identity }) => defaultSql === undefined && identity === true) ??
      null,
  };
}

/** @param made what the database made, by column */
export function newKeyOf({ resource, parts }: NewRow, made: Row): NewKey {
  const texts: string[] = [];
  for (const { name } of resource.keyColumns) {
    const value = columnOf(parts, name) ?? columnOf(made, name) ?? null;
    if (value === null) {
      const why = 'is of the key, and the database makes no value for it; give it';
      return { status: 'not-made', column: name, why };
    }
    texts.push(String(value));
  }
  try {
    return { status: 'made', key: makeKey(resource, texts) };
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'INVALID') throw error;
    const column = Object.keys(made)[0] ?? '';
    const why = 'is of the key, and no key can hold what the database makes for it; give it';
    return { status: 'not-made', column, why };
  }
}
