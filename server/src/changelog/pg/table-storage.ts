import type { SqlRunner } from '../../database/index.ts';
import type { FollowedTables } from './followed-tables.ts';
import { SQL } from './statements.ts';

/** What holds the rows of a table. */
export interface TableStorage {
  /** The same as long as no rows were taken away or rewritten as a whole. */
  text: string;
  /** It has partitions, or tables that inherit from it. */
  hasParts: boolean;
}

/** By the table's oid; one look at the catalog. */
export async function tableStorage(
  sql: SqlRunner,
  { tables }: FollowedTables,
): Promise<Map<number, TableStorage>> {
  if (tables.length === 0) return new Map();
  const { rows } = await sql.run(SQL['read-table-storage'], { oids: tables.map(({ oid }) => oid) });
  return new Map(
    rows.map((row) => [
      Number(row.oid),
      { text: row.storage ?? '', hasParts: row.has_parts === 't' },
    ]),
  );
}
