import type { TableDialect } from '../../../database/queries/table-reader.ts';
import { compileSql, quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import { sendSql } from '../../../database/connections/driver.ts';
import { isKeySql } from '../../../database/write/change-sql.ts';
import { pgChange } from './change-sql.ts';
import { select } from './names.ts';
import { pgRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';
import { pgKeyBindings } from './values.ts';
import { POSTGRES } from '../spelling.ts';

export const pgTables: TableDialect = {
  beginSnapshot: ['start transaction isolation level repeatable read, read only'],
  readTable: ({ table, schema, columns }) =>
    compileSql(
      POSTGRES,
      renderSql(SQL.rows['read-table'], {
        table: quoteTable(POSTGRES, table, schema),
        columns: columns.map((column) => select('r', column)).join(', '),
      }),
    ),
  readPlain(resource) {
    const { table, schema, columns } = resource;
    const sql = compileSql(
      POSTGRES,
      renderSql(SQL.rows['read-columns'], {
        table: quoteTable(POSTGRES, table, schema),
        columns: columns.map((column) => select('r', column)).join(', '),
        isKey: isKeySql(pgChange, resource),
      }),
    );
    return (key) => sendSql(sql, pgKeyBindings(key));
  },
  readVersions: compileSql(POSTGRES, SQL.keys['read-versions']),
  rowAt: 2,
  tagOf: (resource, { version, left }, [xid = null, nextXid = null]) => {
    const changedBy = version > 0 && xid === left ? null : xid;
    return pgRowTag(resource, { version, changedBy, nextXid });
  },
};
