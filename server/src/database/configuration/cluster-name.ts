import type { SqlRunner } from '../statements/sql.ts';
import { SQL } from './names.ts';

/** The name that this database's Lockstep has; null where it has none yet. Changes nothing. */
export async function presentClusterName(sql: SqlRunner): Promise<string | null> {
  return (await sql.run(SQL['read-cluster'])).rows[0]?.name ?? null;
}

/**
 * The name of this database's Lockstep, made once: `made` where it has none yet. Entries carry it, so that two clusters
 * on one cache can tell their entries apart. Rejects with LockstepError `DATABASE_UNAVAILABLE`.
 */
export async function clusterName(sql: SqlRunner, made: string): Promise<string> {
  await sql.run(SQL['add-cluster'], { name: made });
  return (await sql.run(SQL['read-cluster'])).rows[0]?.name ?? made;
}
