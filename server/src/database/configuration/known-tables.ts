import type { Resource } from '../../domain/index.ts';
import { hasStatement } from '../statements/sql-text.ts';
import type { SqlRunner } from '../statements/sql.ts';
import { SQL } from './names.ts';

/**
 * Notes each resource's table as known from now on, where it is not known yet: a row that nobody changes after that is
 * as Lockstep found it, and its entity tag is `"0"`. MySQL keeps nothing in a row that could tell, so the tag of every
 * row there that Lockstep has not written is `"0-TAG"`.
 * @returns the resources with what the database knows of their tables
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function knowTables(
  sql: SqlRunner,
  resources: readonly Resource[],
): Promise<Resource[]> {
  if (!hasStatement(sql, SQL['read-known-table'])) return [...resources];
  const known: Resource[] = [];
  for (const resource of resources) {
    if (resource.query !== undefined) {
      known.push(resource);
      continue;
    }
    const table = { name: resource.table };
    let { rows } = await sql.run(SQL['read-known-table'], table);
    if (rows.length === 0) {
      await sql.run(SQL['add-known-table'], table);
      ({ rows } = await sql.run(SQL['read-known-table'], table));
    }
    const pristineBelow = rows[0]?.pristine_below ?? null;
    known.push(pristineBelow === null ? resource : Object.freeze({ ...resource, pristineBelow }));
  }
  return known;
}
