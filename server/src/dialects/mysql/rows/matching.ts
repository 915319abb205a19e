/** Rows that match a filter. */
import type { Key, Resource, RowFilter } from '../../../domain/index.ts';
import type { Connections, Session } from '../../../database/connections/connections.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { compileSql, quoteName, renderSql } from '../../../database/statements/sql-text.ts';
import { encodeValue } from '../../../database/values/row-text.ts';
import {
  filterBindings,
  type FilterDialect,
  filterSql,
} from '../../../database/write/filter-sql.ts';
import { SQL } from './sql-texts.ts';
import { comparedSql, comparedValue, statementsOf } from './statements.ts';
import { mysqlValues } from './values.ts';
import { MYSQL } from '../spelling.ts';

const quote = (name: string): string => quoteName(MYSQL, name);

const mysqlFilter: FilterDialect = {
  quote,
  compare: (column, operator, placeholder) =>
    comparedSql(`r.${quote(column.name)}`, operator, column, placeholder),
  value: (column, value) =>
    // A number, because MySQL would compare a text as a float.
    column.type === 'integer' || column.type === 'bigint'
      ? BigInt(String(value))
      : encodeValue(mysqlValues, column, value),
};

export async function findMatching(
  connections: Connections,
  resource: Resource,
  where: RowFilter,
  limit: number,
): Promise<readonly RawValue[][]> {
  const { table, keyList: columns } = statementsOf(resource);
  const text = renderSql(SQL.rows['list-matching'], {
    ...{ table, columns, filter: filterSql(mysqlFilter, where) },
    order: resource.keyColumns.map(({ name }) => `r.${quote(name)}`).join(', '),
  });
  const sql = sendSql(compileSql(MYSQL, text), {
    ...filterBindings(mysqlFilter, where),
    limit,
  });
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
  const { keyColumns } = first.resource;
  const { table, keyList: columns } = statementsOf(first.resource);
  const bindings = filterBindings(mysqlFilter, where);
  const items = keys.map(({ parts }, row) => {
    const placeholders = keyColumns.map((column, index) => {
      const name = `part_${row}_${index}`;
      bindings[name] = mysqlValues.keyPart(column, parts[index] ?? '');
      return comparedValue(column, `:${name}`);
    });
    return `(${placeholders.join(', ')})`;
  });
  const text = renderSql(SQL.rows['lock-matching'], {
    ...{ table, columns, filter: filterSql(mysqlFilter, where), keys: items.join(', ') },
    names: keyColumns.map(({ name }) => `r.${quote(name)}`).join(', '),
  });
  return (await session.run(sendSql(compileSql(MYSQL, text), bindings))).rows;
}
