import { readStatements } from '../statements/sql-files.ts';
import sharedSql from './sql/names.sql?raw';
import mysqlSql from './sql/names.mysql.sql?raw';
import pgSql from './sql/names.pg.sql?raw';

/** What a database keeps about the cluster and its tables. */
export const SQL = readStatements(
  { shared: sharedSql, pg: pgSql, mysql2: mysqlSql },
  ['read-cluster', 'add-cluster', 'list-row-names', 'list-earlier-resources', 'add-row-name'],
  { pg: ['add-known-table', 'read-known-table'] },
);
