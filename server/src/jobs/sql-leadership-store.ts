import { hasStatement, readStatements, type SqlRow, type SqlRunner } from '../database/index.ts';
import type { Election, LeadershipStore } from './leadership.ts';
import sharedSql from './sql/leaders.sql?raw';

const SQL = readStatements(
  { name: 'leaders', shared: sharedSql },
  ['elect', 'renew', 'resign', 'read-term'],
  // PostgreSQL's election adds the row itself.
  ['add-job'],
);

/** Longest advice to wait for the end of another one's term: its run may end well before the term does. */
const MAX_RETRY_MS = 500;

/**
 * Who leads each job, in the table `lockstep_audit_leases`. The table has the name of its first user, and its column
 * `resource` holds the name of the job (docs/decisions/0034-job-leadership.md).
 */
export function createLeadershipStore({ sql }: { readonly sql: SqlRunner }): LeadershipStore {
  return {
    async elect(job, leader, termMs, notSince) {
      const notSinceMs = notSince === null ? null : Math.round(notSince);
      if (hasStatement(sql, SQL['add-job'])) await sql.run(SQL['add-job'], { job });
      const { affected } = await sql.run(SQL.elect, { job, leader, termMs, notSinceMs });
      if (affected > 0) return { elected: true };
      const { rows } = await sql.run(SQL['read-term'], { job });
      return refusal(rows[0], notSinceMs);
    },
    async renew(job, leader, termMs) {
      return (await sql.run(SQL.renew, { job, leader, termMs })).affected > 0;
    },
    async resign(job, leader) {
      await sql.run(SQL.resign, { job, leader });
    },
  };
}

function refusal(row: SqlRow | undefined, notSinceMs: number | null): Election {
  if (row === undefined) return { elected: false, retryInMs: 0 };
  const termLeftMs = Math.max(0, Number(row.term_left_ms));
  const scheduledAgoMs =
    typeof row.scheduled_ago_ms === 'string' ? Number(row.scheduled_ago_ms) : Infinity;
  const tooSoonMs = notSinceMs === null ? 0 : Math.max(0, notSinceMs - scheduledAgoMs);
  return { elected: false, retryInMs: Math.max(tooSoonMs, Math.min(termLeftMs, MAX_RETRY_MS)) };
}
