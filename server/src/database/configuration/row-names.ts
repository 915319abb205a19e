import type { SqlRunner } from '../statements/sql.ts';
import { SQL } from './names.ts';

/** The rows of a table that several resources name by the same columns. */
export interface NamedRows {
  /** A digest of the table's name and the columns. */
  id: string;
  table: string;
  key: readonly string[];
}

/** The names under which shared rows are kept. The first that was taken stays. */
export interface RowNames {
  /** `names`: by the rows' id. `resources`: every resource that the cluster has had. */
  known(): Promise<{
    names: ReadonlyMap<string, string>;
    resources: ReadonlySet<string>;
  }>;
  /** Stores the name, where the rows have none yet. @returns the name that they have */
  keep(rows: NamedRows, name: string): Promise<string>;
}

/** Stores nothing, for a check of the configuration for example. */
export const NO_ROW_NAMES: RowNames = {
  known: () => Promise.resolve({ names: new Map(), resources: new Set() }),
  keep: (_, name) => Promise.resolve(name),
};

/** Those in the database, for all coordinators. Rejects with LockstepError `DATABASE_UNAVAILABLE`. */
export function createRowNames(sql: SqlRunner): RowNames {
  const namesOf = async (): Promise<Map<string, string>> =>
    new Map(
      (await sql.run(SQL['list-row-names'])).rows.map((row) => [row.id ?? '', row.name ?? '']),
    );
  return {
    known: async () => ({
      names: await namesOf(),
      resources: new Set(
        (await sql.run(SQL['list-earlier-resources'])).rows.map((row) => row.resource ?? ''),
      ),
    }),
    keep: async ({ id, table, key }, name) => {
      await sql.run(SQL['add-row-name'], {
        id,
        table_name: table,
        key_columns: key.join(', '),
        name,
      });
      return (await namesOf()).get(id) ?? name;
    },
  };
}
