import { tableNameParts } from '../../domain/index.ts';
import type { SqlRunner, SqlStatement } from '../../database/index.ts';
import type { TableFault } from '../port.ts';
import foreignKeysSql from '../sql/mysql/foreign-keys.sql?raw';
import tablesSql from '../sql/mysql/tables.sql?raw';
import type { TableChanges } from '../table-changes.ts';

const TABLES: SqlStatement = { pg: '', mysql2: tablesSql };
const FOREIGN_KEYS: SqlStatement = { pg: '', mysql2: foreignKeysSql };

/** Lockstep's own table, whose changes tell which others are Lockstep's own. */
export const KEYS_TABLE = 'lockstep_keys';

export interface FollowedTable {
  /** As the resources name it. */
  name: string;
  database: string;
  relation: string;
}

/** The configured tables that are there, and what stands in the way of following them. */
export async function findTables(
  sql: SqlRunner,
  database: string,
  tables: ReadonlyMap<string, TableChanges>,
): Promise<{ tables: FollowedTable[]; faults: TableFault[] }> {
  const wanted = [...tables.keys()].map((name) => placeOf(name, database));
  const names = wanted.map(({ database: db, relation }) => `${db}.${relation}`);
  if (names.length === 0) return { tables: [], faults: [] };
  const { rows } = await sql.run(TABLES, { names });
  const [native] = (await sql.run(FOREIGN_KEYS)).rows;
  const isLoggedWhole = native?.Value === 'OFF';
  const found = new Map(rows.map((row) => [`${row.db}.${row.name}`, row]));
  const faults: TableFault[] = [];
  const there = wanted.filter(({ name, database: db, relation }) => {
    const row = found.get(`${db}.${relation}`);
    if (row === undefined) {
      faults.push({ table: name, message: 'is not there' });
    } else if (row.silent_keys && !isLoggedWhole) {
      const message = `the log says nothing of rows that the foreign key ${row.silent_keys} changes; allowed: no action on delete and update`;
      faults.push({ table: name, message });
    }
    return row !== undefined;
  });
  return { tables: there, faults };
}

function placeOf(name: string, database: string): FollowedTable {
  const [first, second] = tableNameParts(name);
  return second === undefined
    ? { name, database, relation: first }
    : { name, database: first, relation: second };
}
