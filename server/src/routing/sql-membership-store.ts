import { type SqlRow, type SqlRunner, readStatements } from '../database/index.ts';
import type { Member, MembershipStore } from './port.ts';
import sharedSql from './sql/members.sql?raw';

const SQL = readStatements({ name: 'members', shared: sharedSql }, [
  'record-heartbeat',
  'list-live',
  'prune',
  'delete',
]);

/** The most members of one cluster. */
const MAX_MEMBERS = 1_000;

/** The members in Lockstep's own table. A heartbeat is one statement on PostgreSQL, and two on MySQL and MariaDB. */
export function createMembershipStore({ sql }: { readonly sql: SqlRunner }): MembershipStore {
  return {
    async beat({ instance, url, expiryMs, isLeaving }) {
      const bounded = { instance, limit: MAX_MEMBERS };
      const beat = await sql.run(SQL['record-heartbeat'], { ...bounded, url, expiryMs, isLeaving });
      // PostgreSQL's heartbeat returns the members, this one among them.
      const { rows } = beat.rows.length > 0 ? beat : await sql.run(SQL['list-live'], bounded);
      return rows.map((row) => memberOf(row, instance));
    },
    async remove(instance) {
      await sql.run(SQL.delete, { instance });
    },
    async prune() {
      await sql.run(SQL.prune);
    },
  };
}

/**
 * The coordinators that are alive, as one that is not a member sees them.
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function liveMembers(sql: SqlRunner): Promise<Member[]> {
  const { rows } = await sql.run(SQL['list-live'], { instance: '', limit: MAX_MEMBERS });
  return rows.map((row) => memberOf(row, ''));
}

function memberOf(row: SqlRow, self: string): Member {
  const instance = row['instance'] ?? '';
  return {
    instance,
    url: row['url'] ?? '',
    isSelf: instance === self,
    isLeaving: row['is_leaving'] === 't' || row['is_leaving'] === '1',
    // A clock that was set back makes ages negative.
    seenAgoMs: Math.max(0, Number(row['seen_ago_ms'])),
    upMs: Math.max(0, Number(row['up_ms'])),
  };
}
