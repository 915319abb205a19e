import { readStatements } from '../database/index.ts';
import mysqlSql from './sql/capture.mysql.sql?raw';
import pgSql from './sql/capture.pg.sql?raw';

/** What capturing asks of the databases. */
export const SQL = readStatements(
  { pg: pgSql, mysql2: mysqlSql },
  ['read-place', 'read-table', 'list-installed', 'ask-for-sweeps'],
  { mysql2: ['list-triggers'] },
);
