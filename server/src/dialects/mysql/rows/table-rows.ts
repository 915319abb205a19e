import { sendSql } from '../../../database/connections/driver.ts';
import type { TableDialect } from '../../../database/queries/table-reader.ts';
import { compileSql, quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';
import { selectMysql, statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';
import { MYSQL } from '../spelling.ts';

export const BEGIN_SNAPSHOT = [
  'set transaction isolation level repeatable read',
  'start transaction with consistent snapshot, read only',
];

export const mysqlTables: TableDialect = {
  beginSnapshot: BEGIN_SNAPSHOT,
  readTable: ({ table, schema, columns }) =>
    compileSql(
      MYSQL,
      renderSql(SQL.rows['read-table'], {
        table: quoteTable(MYSQL, table, schema),
        columns: selectMysql(columns),
      }),
    ),
  readPlain: (resource) => {
    const { row } = statementsOf(resource);
    return (key) => sendSql(row, mysqlKeyBindings(key));
  },
  readVersions: compileSql(MYSQL, SQL.keys['read-versions']),
  rowAt: 0,
  tagOf: (resource, { version, left }, values) =>
    mysqlRowTag(version, left, digestOfRow(resource, values)),
};
