/** Lockstep for programs that write by Kysely. */
import type { Guard, Key } from '@lockstep/client';
import {
  type ColumnKind,
  columnMapOf,
  type Dialect,
  invalidateSql,
  keyPartsOf,
  type KeyReader,
  readThrough,
  type RowOfKinds,
  type SqlStatement,
} from '@lockstep/client/sql';
import {
  CompiledQuery,
  type Kysely,
  MysqlAdapter,
  PostgresAdapter,
  sql,
  type Transaction,
} from 'kysely';

interface Database {
  dialect: Dialect;
  placeholders: '?' | '$';
  isOf: (adapter: object) => boolean;
}
const DATABASES: readonly Database[] = [
  { dialect: 'pg', placeholders: '$', isOf: (adapter) => adapter instanceof PostgresAdapter },
  { dialect: 'mysql2', placeholders: '?', isOf: (adapter) => adapter instanceof MysqlAdapter },
];

/**
 * Invalidates a row's entries with the commit of the transaction that changed it. It rolls back with it.
 * @param key the first parts of a composite key: every row whose key begins with them; absent: the whole resource
 * @throws TypeError where `trx` is no transaction; what the database says (docs/own-transactions.md), and then the
 *   transaction has failed
 */
export async function invalidate<DB>(
  trx: Transaction<DB>,
  resource: string,
  key?: Key,
): Promise<void> {
  const { dialect, placeholders } = databaseOf(trx);
  await run(trx, invalidateSql(dialect, resource, key, placeholders));
}

/**
 * Calls `lockstep_guard` for all keys of a guard. Do it first in the transaction that `client.guard` runs: it fails where
 * another holder came in between, and the transaction must then roll back.
 * @throws TypeError where `trx` is no transaction; what the database says
 */
export async function callGuard<DB>(trx: Transaction<DB>, guard: Guard): Promise<void> {
  const { placeholders } = databaseOf(trx);
  for (const { resource, key } of guard.keys)
    await run(trx, guard.sql(resource, key, placeholders));
}

/** The table of a resource, and what is read of it. */
export interface ResourceTable<Table, Columns extends Record<string, ColumnKind>> {
  table: Table;
  /** The columns of the resource's key, in its order. */
  key: readonly string[];
  /**
   * What a read answers: columns, and what their values are as your driver gives them (docs/adapters.md). The cache
   * answers only what it can give in the same way.
   */
  columns: Columns;
}

type Tables<DB> = Record<string, ResourceTable<keyof DB & string, Record<string, ColumnKind>>>;

/** Reads a row by its key through the cache. Resolves to undefined if there is no such row, as `executeTakeFirst()` does. */
export type Read<T extends Record<string, { columns: Record<string, ColumnKind> }>> = <
  Name extends keyof T & string,
>(
  resource: Name,
  key: Key,
) => Promise<RowOfKinds<T[Name]['columns']> | undefined>;

/**
 * Makes the function that reads rows by their key through the client: from the cache, else by a coordinator, and by
 * Kysely where neither answers, or where the cache's row has a value that cannot be given as its column says.
 *
 * Names are those of the database, and Kysely's plugins do not see the rows. It is for reads outside of transactions: in
 * one, read with `trx`.
 * @throws TypeError where `db` is a transaction
 */
export function createRead<DB, const T extends Tables<DB>>(
  lockstep: KeyReader,
  db: Kysely<DB>,
  tables: T,
): Read<T> {
  if (db.isTransaction)
    throw new TypeError('This needs the database itself: the cache does not know a transaction.');
  const plain = db.withoutPlugins();
  const maps = new Map(
    Object.entries(tables).map(([name, { columns }]) => [name, columnMapOf(columns)]),
  );
  return async (resource, key) => {
    const found = tables[resource];
    const map = maps.get(resource);
    if (found === undefined || map === undefined)
      throw new TypeError(`The resource ${resource} has no table here.`);
    const equal = keyPartsOf(found.key, key).map(
      ([column, part]) => sql`${sql.ref(column)} = ${part}`,
    );
    const row = await readThrough(lockstep, [resource, key], map, async () => {
      const columns = sql.join(Object.keys(found.columns).map((column) => sql.ref(column)));
      const query = sql<object>`select ${columns} from ${sql.table(found.table)} where ${sql.join(equal, sql` and `)}`;
      const { rows } = await query.execute(plain);
      return rows[0] ?? null;
    });
    return (row ?? undefined) as RowOfKinds<T[typeof resource]['columns']> | undefined;
  };
}

/** @throws TypeError where it is no transaction, or one of another database */
function databaseOf<DB>(trx: Transaction<DB>): Database {
  // A caller without types may give the database itself.
  const { isTransaction }: { isTransaction: boolean } = trx;
  if (!isTransaction)
    throw new TypeError('This needs the transaction that changes the rows, not the database.');
  const { adapter } = trx.getExecutor();
  const found = DATABASES.find(({ isOf }) => isOf(adapter));
  if (found === undefined)
    throw new TypeError(
      'Lockstep keeps PostgreSQL, MySQL and MariaDB in step, and no other database.',
    );
  return found;
}

const run = <DB>(trx: Transaction<DB>, [text, values]: SqlStatement) =>
  trx.executeQuery(CompiledQuery.raw(text, values));
