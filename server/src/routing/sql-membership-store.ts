import type { SqlRow, SqlRunner, SqlStatement } from '../database/index.ts';
import type { Member, MembershipStore } from './port.ts';
import mysqlBeat from './sql/mysql/beat.sql?raw';
import mysqlLive from './sql/mysql/live.sql?raw';
import mysqlPrune from './sql/mysql/prune.sql?raw';
import pgBeat from './sql/pg/beat.sql?raw';
import pgLive from './sql/pg/live.sql?raw';
import pgPrune from './sql/pg/prune.sql?raw';
import remove from './sql/remove.sql?raw';

const BEAT: SqlStatement = { pg: pgBeat, mysql2: mysqlBeat };
const LIVE: SqlStatement = { pg: pgLive, mysql2: mysqlLive };
const PRUNE: SqlStatement = { pg: pgPrune, mysql2: mysqlPrune };
const REMOVE: SqlStatement = { pg: remove, mysql2: remove };

/** Most members of one cluster. */
const MAX_MEMBERS = 1_000;

/** The members in a table of Lockstep's own, on PostgreSQL (one statement a beat) and MySQL/MariaDB (two). */
export function createMembershipStore({ sql }: { readonly sql: SqlRunner }): MembershipStore {
  return {
    async beat({ instance, url, expiryMs, isLeaving }) {
      const bounded = { instance, limit: MAX_MEMBERS };
      const beat = await sql.run(BEAT, { ...bounded, url, expiryMs, isLeaving });
      const { rows } = sql.client === 'pg' ? beat : await sql.run(LIVE, bounded);
      return rows.map((row) => memberOf(row, instance));
    },
    async remove(instance) {
      await sql.run(REMOVE, { instance });
    },
    async prune() {
      await sql.run(PRUNE);
    },
  };
}

/**
 * The coordinators that the database has heard of lately, for who is none of them.
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function liveMembers(sql: SqlRunner): Promise<Member[]> {
  const { rows } = await sql.run(LIVE, { instance: '', limit: MAX_MEMBERS });
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
