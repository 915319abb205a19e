import type { Resource } from '../../domain/index.ts';
import { readStatements } from '../statements/sql-files.ts';
import { hasStatement } from '../statements/sql-text.ts';
import type { SqlRunner } from '../statements/sql.ts';
import sharedSql from './sql/names.sql?raw';

/** What a database keeps about the cluster and its tables. */
const SQL = readStatements(
  { name: 'names', shared: sharedSql },
  ['read-cluster', 'add-cluster', 'list-row-names', 'list-earlier-resources', 'add-row-name'],
  ['add-known-table', 'read-known-table'],
);

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
    if (resource.derivation !== undefined) {
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
