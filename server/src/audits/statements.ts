import { readStatements } from '../database/index.ts';
import auditsSql from './sql/audits.sql?raw';
import mysqlAuditsSql from './sql/audits.mysql.sql?raw';
import pgAuditsSql from './sql/audits.pg.sql?raw';

/** The audits' statements in both dialects. */
export const SQL = readStatements({ shared: auditsSql, pg: pgAuditsSql, mysql2: mysqlAuditsSql }, [
  'fail-abandoned-runs',
  'begin-run',
  'end-run',
  'list-runs',
  'recent-counts',
  'supersede-open',
  'add-finding',
  'resolve-finding',
  'find-finding',
  'list-findings',
  'count-open',
  'list-open-keys',
  'prune-findings',
  'prune-runs',
]);
