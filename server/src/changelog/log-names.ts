/** What a change log is called on the database's server, which may have the change logs of other databases as well. */
import type { SqlRunner } from '../database/index.ts';
import { SQL as MYSQL } from './mysql/statements.ts';
import { SQL as PG } from './pg/statements.ts';

/** Under which MySQL and MariaDB keep the position, in the database's own table. */
const POSITION_NAME = 'lockstep';

export interface LogNames {
  /** PostgreSQL: the replication slot. Elsewhere the name under which the position is kept. */
  slot: string;
  /** MySQL and MariaDB: the id of this reader of the binlog. */
  serverId: number;
}

/**
 * The configured names; for each that is null the database's own, which no other database of the server has and every
 * coordinator of this database makes alike. Rejects with LockstepError `DATABASE_UNAVAILABLE`.
 */
export async function logNames(
  sql: SqlRunner,
  { slot, serverId }: { slot: string | null; serverId: number | null },
): Promise<LogNames> {
  if (sql.client === 'pg') {
    return { slot: slot ?? (await ownSlot(sql)), serverId: serverId ?? 0 };
  }
  return { slot: slot ?? POSITION_NAME, serverId: serverId ?? (await ownServerId(sql)) };
}

async function ownSlot(sql: SqlRunner): Promise<string> {
  const [row] = (await sql.run(PG['name-own-slot'])).rows;
  return row?.slot ?? POSITION_NAME;
}

async function ownServerId(sql: SqlRunner): Promise<number> {
  const [row] = (await sql.run(MYSQL['name-own-server-id'])).rows;
  return Number(row?.server_id);
}
