import type { SqlRow, SqlRunner } from '../../../database/index.ts';
import { quoteTable } from '../../../database/index.ts';
import type { TableFault } from '../../../changelog/port.ts';
import { KEYS_TABLE, neededColumns, type TableChanges } from '../../../changelog/table-changes.ts';
import { SQL } from './statements.ts';
import { POSTGRES } from '../spelling.ts';

/** A configured table in PostgreSQL's catalog. */
export interface FollowedTable {
  /** The table's name in the configuration. */
  name: string;
  oid: number;
  schema: string;
  relation: string;
  /** The account may do what its owner may: add it to a publication. */
  isOwn: boolean;
}

export interface FollowedTables {
  keys: FollowedTable | null;
  tables: FollowedTable[];
  /** One or more for each table that cannot be followed completely. */
  faults: TableFault[];
}

/** Finds the configured tables, and reports what prevents following them. */
export async function findTables(
  sql: SqlRunner,
  tables: ReadonlyMap<string, TableChanges>,
): Promise<FollowedTables> {
  const names = [KEYS_TABLE, ...tables.keys()];
  const quoted = names.map((name) => quoteTable(POSTGRES, name));
  const { rows } = await sql.run(SQL['list-tables'], { names, quoted });
  const found: FollowedTables = { keys: null, tables: [], faults: [] };
  for (const row of rows) {
    const name = row.name ?? '';
    const changes = tables.get(name);
    const table = followedTable(row);
    if (changes === undefined) {
      found.keys = table;
      continue;
    }
    const faults = table === null ? ['is not there'] : faultsOf(row, changes);
    // PostgreSQL refuses updates of a published table if the log cannot identify its rows, so it must not be published.
    const isFollowed = table !== null && row.can_be_followed === 't' && hasIdentity(row);
    for (const message of faults) found.faults.push({ table: name, message, isFollowed });
    if (isFollowed) found.tables.push(table);
  }
  return found;
}

function followedTable(row: SqlRow): FollowedTable | null {
  const { name, oid, schema, relation } = row;
  if (!name || !oid || !schema || !relation) return null;
  return { name, oid: Number(oid), schema, relation, isOwn: row.is_owner === 't' };
}

const identityColumns = (row: SqlRow): string[] =>
  JSON.parse(row.identity_columns ?? '[]') as string[];

const hasIdentity = (row: SqlRow): boolean =>
  row.identity === 'f' || (row.identity !== 'n' && identityColumns(row).length > 0);

function faultsOf(row: SqlRow, { resources, dependents }: TableChanges): string[] {
  const full = `alter table ${row.schema}.${row.relation} replica identity full`;
  if (row.can_be_followed !== 't')
    return ['is not a permanent table, so no log contains its changes'];
  if (!hasIdentity(row)) return [`its rows have no replica identity; allowed: ${full}`];
  if (row.identity === 'f') return [];
  const identity = new Set(identityColumns(row));
  const faults: string[] = [];
  const mapped = new Map<string, Set<string>>();
  for (const { name, dependency } of dependents) {
    const untold = dependency.columns.filter((column) => !identity.has(column.name));
    if (untold.length === 0) continue;
    mapped.set(name, new Set([...(mapped.get(name) ?? []), ...untold.map((each) => each.name)]));
  }
  for (const [name, columns] of mapped) {
    faults.push(
      `the log does not contain ${[...columns].join(', ')} of rows before a change, by which ${name} depends on them, so that each change sweeps its entries; allowed: ${full}`,
    );
  }
  const ofDependents = new Set([...mapped.values()].flatMap((columns) => [...columns]));
  for (const resource of resources) {
    const keyNames = new Set(resource.keyColumns.map(({ name }) => name));
    const missing = neededColumns(resource).filter(({ name }) => !identity.has(name));
    const ofKey = missing.filter(({ name }) => keyNames.has(name)).map(({ name }) => name);
    const others = missing
      .filter(({ name }) => !keyNames.has(name) && !ofDependents.has(name))
      .map(({ name }) => name);
    if (ofKey.length > 0) {
      faults.push(
        `the log does not contain ${ofKey.join(', ')} of rows before a change, which the key of ${resource.name} needs; allowed: ${full}`,
      );
    }
    if (others.length > 0) {
      faults.push(
        `the log does not contain ${others.join(', ')} of rows before a change, which invalidates of ${resource.name} needs; allowed: ${full}`,
      );
    }
  }
  return faults;
}

/** Where the rows of a table are stored. */
export interface TableStorage {
  /** Stays the same until the table is truncated or rewritten, or its partitions change. */
  text: string;
  /** Whether it has partitions, or tables that inherit from it. */
  hasParts: boolean;
}

/** By the table's oid, in one query. */
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
