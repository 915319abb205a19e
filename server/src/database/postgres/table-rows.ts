import type { TableDialect } from '../queries/table-reader.ts';
import { compileSql, quoteTable, renderSql } from '../statements/sql-text.ts';
import { select } from './names.ts';
import { pgRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';

export const pgTables: TableDialect = {
  beginSnapshot: ['start transaction isolation level repeatable read, read only'],
  readTable: ({ table, schema, columns }) =>
    compileSql(
      'pg',
      renderSql(SQL.rows['read-table'], {
        table: quoteTable('pg', table, schema),
        columns: columns.map((column) => select('r', column)).join(', '),
      }),
    ),
  readVersions: compileSql('pg', SQL.keys['read-versions']),
  rowAt: 2,
  tagOf: (resource, { version, left }, [xid = null, nextXid = null]) => {
    const changedBy = version > 0 && xid === left ? null : xid;
    return pgRowTag(resource, { version, changedBy, nextXid });
  },
};
