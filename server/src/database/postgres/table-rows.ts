import type { TableDialect } from '../queries/table-reader.ts';
import { compileSql, quoteTable, renderSql } from '../statements/sql-text.ts';
import { sendSql } from '../connections/driver.ts';
import { isKeySql } from '../write/change-sql.ts';
import { pgChange } from './change-sql.ts';
import { select } from './names.ts';
import { pgRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';
import { pgKeyBindings } from './values.ts';

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
  readPlain(resource) {
    const { table, schema, columns } = resource;
    const sql = compileSql(
      'pg',
      renderSql(SQL.rows['read-columns'], {
        table: quoteTable('pg', table, schema),
        columns: columns.map((column) => select('r', column)).join(', '),
        isKey: isKeySql(pgChange, resource),
      }),
    );
    return (key) => sendSql(sql, pgKeyBindings(key));
  },
  readVersions: compileSql('pg', SQL.keys['read-versions']),
  rowAt: 2,
  tagOf: (resource, { version, left }, [xid = null, nextXid = null]) => {
    const changedBy = version > 0 && xid === left ? null : xid;
    return pgRowTag(resource, { version, changedBy, nextXid });
  },
};
