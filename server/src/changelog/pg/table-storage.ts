import type { SqlRunner, SqlStatement } from '../../database/index.ts';
import storageSql from '../sql/pg/table-storage.sql?raw';
import type { FollowedTables } from './followed-tables.ts';

const STORAGE: SqlStatement = { pg: storageSql, mysql2: '' };

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
  const { rows } = await sql.run(STORAGE, { oids: tables.map(({ oid }) => oid) });
  return new Map(
    rows.map((row) => [
      Number(row.oid),
      { text: row.storage ?? '', hasParts: row.has_parts === 't' },
    ]),
  );
}
