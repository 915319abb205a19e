import { sendSql } from '../connections/driver.ts';
import type { TableDialect } from '../queries/table-reader.ts';
import { compileSql, quoteTable, renderSql } from '../statements/sql-text.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';
import { selectMysql, statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';

export const BEGIN_SNAPSHOT = [
  'set transaction isolation level repeatable read',
  'start transaction with consistent snapshot, read only',
];

export const mysqlTables: TableDialect = {
  beginSnapshot: BEGIN_SNAPSHOT,
  readTable: ({ table, schema, columns }) =>
    compileSql(
      'mysql2',
      renderSql(SQL.rows['read-table'], {
        table: quoteTable('mysql2', table, schema),
        columns: selectMysql(columns),
      }),
    ),
  readPlain: (resource) => {
    const { row } = statementsOf(resource);
    return (key) => sendSql(row, mysqlKeyBindings(key));
  },
  readVersions: compileSql('mysql2', SQL.keys['read-versions']),
  rowAt: 0,
  tagOf: (resource, { version, left }, values) =>
    mysqlRowTag(version, left, digestOfRow(resource, values)),
};
