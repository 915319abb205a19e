import { readStatements, type SqlStatement } from '../database/index.ts';
import auditsSql from './sql/audits.sql?raw';
import mysqlAuditsSql from './sql/audits.mysql.sql?raw';
import pgAuditsSql from './sql/audits.pg.sql?raw';
import releaseLease from './sql/release-lease.sql?raw';
import claimLeaseMysql from './sql/mysql/claim-lease.sql?raw';
import leaseLeftMysql from './sql/mysql/lease-left.sql?raw';
import renewLeaseMysql from './sql/mysql/renew-lease.sql?raw';
import seedLeaseMysql from './sql/mysql/seed-lease.sql?raw';
import claimLeasePg from './sql/pg/claim-lease.sql?raw';
import leaseLeftPg from './sql/pg/lease-left.sql?raw';
import renewLeasePg from './sql/pg/renew-lease.sql?raw';

const both = (sql: string): SqlStatement => ({ pg: sql, mysql2: sql });

/** The audits' statements in both dialects. */
export const SQL = {
  ...readStatements({ shared: auditsSql, pg: pgAuditsSql, mysql2: mysqlAuditsSql }, [
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
  ]),
  claimLease: { pg: claimLeasePg, mysql2: claimLeaseMysql },
  /** MySQL only: PostgreSQL's claim inserts the lease itself. */
  seedLease: both(seedLeaseMysql),
  leaseLeft: { pg: leaseLeftPg, mysql2: leaseLeftMysql },
  renewLease: { pg: renewLeasePg, mysql2: renewLeaseMysql },
  releaseLease: both(releaseLease),
};
