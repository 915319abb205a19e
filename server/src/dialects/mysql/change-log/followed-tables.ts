import { tableNameParts } from '../../../domain/index.ts';
import type { SqlRunner } from '../../../database/index.ts';
import { actingForeignKeys } from '../rows/foreign-keys.ts';
import type { TableFault } from '../../../changelog/port.ts';
import type { TableChanges } from '../../../changelog/table-changes.ts';
import { SQL } from './statements.ts';

export interface FollowedTable {
  /** The table's name in the configuration. */
  name: string;
  database: string;
  relation: string;
}

/** Finds the configured tables that exist, and reports what prevents following them. */
export async function findTables(
  sql: SqlRunner,
  database: string,
  configured: ReadonlyMap<string, TableChanges>,
): Promise<{ tables: FollowedTable[]; faults: TableFault[] }> {
  const wanted = [...configured.keys()].map((name) => placeOf(name, database));
  if (wanted.length === 0) return { tables: [], faults: [] };
  const names = {
    databases: [...new Set(wanted.map((each) => each.database))],
    relations: [...new Set(wanted.map(({ relation }) => relation))],
  };
  const { rows } = await sql.run(SQL['list-tables'], names);
  const there = new Set(rows.map((row) => JSON.stringify([row.db, row.name])));
  const [native] = (await sql.run(SQL['read-foreign-key-setting'])).rows;
  const isLoggedWhole = native?.Value === 'OFF';
  const isThere = ({ database: db, relation }: FollowedTable): boolean =>
    there.has(JSON.stringify([db, relation]));
  const tables = wanted.filter(isThere);
  const faults = wanted
    .filter((each) => !isThere(each))
    .map(({ name }): TableFault => ({ table: name, message: 'is not there', isFollowed: false }));
  for (const table of isLoggedWhole ? [] : tables) {
    const keys = await actingForeignKeys(sql, table);
    if (keys === null || keys.length === 0) continue;
    const acting = keys.map((key) => key.name).sort();
    const message = `the log does not contain the rows that the foreign key ${acting.join(', ')} changes; allowed: no action on delete and update`;
    faults.push({ table: table.name, message, isFollowed: true });
  }
  return { tables, faults };
}

function placeOf(name: string, database: string): FollowedTable {
  const [first, second] = tableNameParts(name);
  return second === undefined
    ? { name, database, relation: first }
    : { name, database: first, relation: second };
}
