import type { SqlRunner } from '../database/index.ts';
import { SHARED_SERVERS as SQL } from './statements.ts';

/** The coordinators that the database lists with the servers that they use. The value is the age of the row in ms. */
export type ListedCoordinators = ReadonlyMap<string, number>;

/** @throws LockstepError if the database does not answer */
export async function listedCoordinators(sql: SqlRunner): Promise<ListedCoordinators> {
  const { rows } = await sql.run(SQL['list-ages']);
  return new Map(rows.map((row) => [row['instance'] ?? '', Number(row['age_ms'])]));
}
