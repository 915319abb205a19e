import { tableNameParts } from '../../domain/index.ts';
import type { SqlRow, SqlRunner, SqlStatement } from '../../database/index.ts';
import type { TableFault } from '../port.ts';
import type { TableChanges } from '../table-changes.ts';
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
  tables: ReadonlyMap<string, TableChanges>,
): Promise<{ tables: FollowedTable[]; faults: TableFault[] }> {
  const wanted = [...tables.keys()].map((name) => placeOf(name, database));
  if (wanted.length === 0) return { tables: [], faults: [] };
  const names = {
    databases: [...new Set(wanted.map((each) => each.database))],
    relations: [...new Set(wanted.map(({ relation }) => relation))],
  };
  const placed = async (statement: SqlStatement): Promise<Map<string, SqlRow>> => {
    const { rows } = await sql.run(statement, names);
    return new Map(rows.map((row) => [JSON.stringify([row.db, row.name]), row]));
  };
  const there = await placed(SQL['list-tables']);
  const silent = await placed(SQL['list-silent-keys']);
  const [native] = (await sql.run(SQL['read-foreign-key-setting'])).rows;
  const isLoggedWhole = native?.Value === 'OFF';
  const faults: TableFault[] = [];
  const followed = wanted.filter(({ name, database: db, relation }) => {
    const place = JSON.stringify([db, relation]);
    const keys = silent.get(place)?.silent_keys;
    if (!there.has(place)) {
      faults.push({ table: name, message: 'is not there' });
    } else if (keys && !isLoggedWhole) {
      const message = `the log does not contain the rows that the foreign key ${keys} changes; allowed: no action on delete and update`;
      faults.push({ table: name, message });
    }
    return there.has(place);
  });
  return { tables: followed, faults };
}

function placeOf(name: string, database: string): FollowedTable {
  const [first, second] = tableNameParts(name);
  return second === undefined
    ? { name, database, relation: first }
    : { name, database: first, relation: second };
}
