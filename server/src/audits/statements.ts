import type { SqlStatement } from '../database/index.ts';
import countOpen from './sql/count-open.sql?raw';
import findFinding from './sql/find-finding.sql?raw';
import releaseLease from './sql/release-lease.sql?raw';
import addFindingMysql from './sql/mysql/add-finding.sql?raw';
import beginRunMysql from './sql/mysql/begin-run.sql?raw';
import claimLeaseMysql from './sql/mysql/claim-lease.sql?raw';
import endRunMysql from './sql/mysql/end-run.sql?raw';
import failAbandonedMysql from './sql/mysql/fail-abandoned-runs.sql?raw';
import leaseLeftMysql from './sql/mysql/lease-left.sql?raw';
import listFindingsMysql from './sql/mysql/list-findings.sql?raw';
import listRunsMysql from './sql/mysql/list-runs.sql?raw';
import openKeysMysql from './sql/mysql/open-keys.sql?raw';
import pruneFindingsMysql from './sql/mysql/prune-findings.sql?raw';
import pruneRunsMysql from './sql/mysql/prune-runs.sql?raw';
import recentCountsMysql from './sql/mysql/recent-counts.sql?raw';
import renewLeaseMysql from './sql/mysql/renew-lease.sql?raw';
import seedLeaseMysql from './sql/mysql/seed-lease.sql?raw';
import settleFindingMysql from './sql/mysql/settle-finding.sql?raw';
import supersedeOpenMysql from './sql/mysql/supersede-open.sql?raw';
import addFindingPg from './sql/pg/add-finding.sql?raw';
import beginRunPg from './sql/pg/begin-run.sql?raw';
import claimLeasePg from './sql/pg/claim-lease.sql?raw';
import endRunPg from './sql/pg/end-run.sql?raw';
import failAbandonedPg from './sql/pg/fail-abandoned-runs.sql?raw';
import leaseLeftPg from './sql/pg/lease-left.sql?raw';
import listFindingsPg from './sql/pg/list-findings.sql?raw';
import listRunsPg from './sql/pg/list-runs.sql?raw';
import openKeysPg from './sql/pg/open-keys.sql?raw';
import pruneFindingsPg from './sql/pg/prune-findings.sql?raw';
import pruneRunsPg from './sql/pg/prune-runs.sql?raw';
import recentCountsPg from './sql/pg/recent-counts.sql?raw';
import renewLeasePg from './sql/pg/renew-lease.sql?raw';
import settleFindingPg from './sql/pg/settle-finding.sql?raw';
import supersedeOpenPg from './sql/pg/supersede-open.sql?raw';

const both = (sql: string): SqlStatement => ({ pg: sql, mysql2: sql });

/** The audits' statements in both dialects. */
export const SQL = {
  claimLease: { pg: claimLeasePg, mysql2: claimLeaseMysql },
  /** MySQL only: PostgreSQL's claim inserts the lease itself. */
  seedLease: both(seedLeaseMysql),
  leaseLeft: { pg: leaseLeftPg, mysql2: leaseLeftMysql },
  renewLease: { pg: renewLeasePg, mysql2: renewLeaseMysql },
  releaseLease: both(releaseLease),
  failAbandoned: { pg: failAbandonedPg, mysql2: failAbandonedMysql },
  beginRun: { pg: beginRunPg, mysql2: beginRunMysql },
  endRun: { pg: endRunPg, mysql2: endRunMysql },
  listRuns: { pg: listRunsPg, mysql2: listRunsMysql },
  recentCounts: { pg: recentCountsPg, mysql2: recentCountsMysql },
  supersedeOpen: { pg: supersedeOpenPg, mysql2: supersedeOpenMysql },
  addFinding: { pg: addFindingPg, mysql2: addFindingMysql },
  settleFinding: { pg: settleFindingPg, mysql2: settleFindingMysql },
  findFinding: both(findFinding),
  listFindings: { pg: listFindingsPg, mysql2: listFindingsMysql },
  countOpen: both(countOpen),
  openKeys: { pg: openKeysPg, mysql2: openKeysMysql },
  pruneFindings: { pg: pruneFindingsPg, mysql2: pruneFindingsMysql },
  pruneRuns: { pg: pruneRunsPg, mysql2: pruneRunsMysql },
} as const satisfies Record<string, SqlStatement>;
