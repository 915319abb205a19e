import keepMysql from './mysql/sql/keep-cluster.sql?raw';
import keepPg from './postgres/sql/keep-cluster.sql?raw';
import clusterSql from './statements/sql/cluster.sql?raw';
import type { SqlRunner, SqlStatement } from './statements/sql.ts';

const KEEP: SqlStatement = { pg: keepPg, mysql2: keepMysql };
const CLUSTER: SqlStatement = { pg: clusterSql, mysql2: clusterSql };

/** The name that this database's Lockstep has; null where it has none yet. Changes nothing. */
export async function presentClusterName(sql: SqlRunner): Promise<string | null> {
  return (await sql.run(CLUSTER)).rows[0]?.name ?? null;
}

/**
 * The name of this database's Lockstep, made once: `made` where it has none yet. Entries carry it, so that two clusters
 * on one cache tell theirs apart. Rejects with LockstepError `DATABASE_UNAVAILABLE`.
 */
export async function clusterName(sql: SqlRunner, made: string): Promise<string> {
  await sql.run(KEEP, { name: made });
  return (await sql.run(CLUSTER)).rows[0]?.name ?? made;
}
