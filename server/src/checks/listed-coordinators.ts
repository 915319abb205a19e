import type { SqlRunner, SqlStatement } from '../database/index.ts';
import mysqlListed from './sql/listed-coordinators.mysql.sql?raw';
import pgListed from './sql/listed-coordinators.pg.sql?raw';

const LISTED: SqlStatement = { pg: pgListed, mysql2: mysqlListed };

/** The coordinators that the database lists with the servers they use; the value is the age of the entry in ms. */
export type ListedCoordinators = ReadonlyMap<string, number>;

/** @throws LockstepError where the database does not answer */
export async function listedCoordinators(sql: SqlRunner): Promise<ListedCoordinators> {
  const { rows } = await sql.run(LISTED);
  return new Map(rows.map((row) => [row['instance'] ?? '', Number(row['age_ms'])]));
}
