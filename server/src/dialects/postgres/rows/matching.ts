/** Rows that match a filter. */
import type { Key, Resource, RowFilter } from '../../../domain/index.ts';
import type { Connections, Session } from '../../../database/connections/connections.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { compileSql, renderSql } from '../../../database/statements/sql-text.ts';
import { encodeValue } from '../../../database/values/row-text.ts';
import {
  filterBindings,
  type FilterDialect,
  filterSql,
} from '../../../database/write/filter-sql.ts';
import { keyType, quote } from './names.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { pgValues } from './values.ts';
import { keysBindings } from './write-bindings.ts';
import { POSTGRES } from '../spelling.ts';

const pgFilter: FilterDialect = {
  quote,
  compare: (column, operator, placeholder) =>
    `r.${quote(column.name)} ${operator} ${placeholder}::${keyType(column)}`,
  value: (column, value) => encodeValue(pgValues, column, value),
};

export async function findMatching(
  connections: Connections,
  resource: Resource,
  where: RowFilter,
  limit: number,
): Promise<readonly RawValue[][]> {
  const { table, keyList: columns } = statementsOf(resource);
  const text = renderSql(SQL.rows['list-matching'], {
    ...{ table, columns, filter: filterSql(pgFilter, where) },
    order: resource.keyColumns.map(({ name }) => `r.${quote(name)}`).join(', '),
  });
  const sql = sendSql(compileSql(POSTGRES, text), { ...filterBindings(pgFilter, where), limit });
  return (await connections.use((session) => session.run(sql))).rows;
}

/** @param keys at least one, all of one resource */
export async function lockMatching(
  session: Session,
  keys: readonly Key[],
  where: RowFilter,
): Promise<readonly RawValue[][]> {
  const [first] = keys;
  if (first === undefined) return [];
  const { table, keyList: columns } = statementsOf(first.resource);
  const { keyColumns } = first.resource;
  const text = renderSql(SQL.rows['lock-matching'], {
    ...{ table, columns, filter: filterSql(pgFilter, where) },
    partArrays: keyColumns.map((_, index) => `:parts_${index}::text[]`).join(', '),
    partNames: keyColumns.map((_, index) => `part_${index}`).join(', '),
    isKey: keyColumns
      .map((column, index) => `r.${quote(column.name)} = asked.part_${index}::${keyType(column)}`)
      .join(' and '),
  });
  const sql = sendSql(compileSql(POSTGRES, text), {
    ...keysBindings(first.resource, keys),
    ...filterBindings(pgFilter, where),
  });
  return (await session.run(sql)).rows;
}
