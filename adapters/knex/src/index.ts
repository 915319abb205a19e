/** Lockstep for programs that write by Knex. */
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
} from '@lockstep/client/sql';
import type { Knex } from 'knex';

/** Knex's names of the databases that Lockstep keeps in step. */
const DIALECTS: Readonly<Record<string, Dialect>> = { postgresql: 'pg', mysql: 'mysql2' };

/**
 * Invalidates a row's entries with the commit of the transaction that changed it. It rolls back with it.
 * @param key the first parts of a composite key: every row whose key begins with them; absent: the whole resource
 * @throws TypeError where `trx` is no transaction; what the database says (docs/own-transactions.md), and then the
 *   transaction has failed
 */
export async function invalidate(
  trx: Knex.Transaction,
  resource: string,
  key?: Key,
): Promise<void> {
  inTransaction(trx);
  await trx.raw(...invalidateSql(dialectOf(trx), resource, key));
}

/**
 * Calls `lockstep_guard` for all keys of a guard. Do it first in the transaction that `client.guard` runs: it fails where
 * another holder came in between, and the transaction must then roll back.
 * @throws TypeError where `trx` is no transaction; what the database says
 */
export async function callGuard(trx: Knex.Transaction, guard: Guard): Promise<void> {
  inTransaction(trx);
  for (const { resource, key } of guard.keys) await trx.raw(...guard.sql(resource, key));
}

/** The table of a resource, and what is read of it. */
export interface ResourceTable<Columns extends Record<string, ColumnKind>> {
  table: string;
  /** The columns of the resource's key, in its order. */
  key: readonly string[];
  /**
   * What a read answers: columns, and what their values are as your driver gives them (docs/adapters.md). The cache
   * answers only what it can give in the same way.
   */
  columns: Columns;
}

type Tables = Record<string, ResourceTable<Record<string, ColumnKind>>>;

/** Reads a row by its key through the cache. Resolves to undefined if there is no such row, as `first()` does. */
export type Read<T extends Tables> = <Name extends keyof T & string>(
  resource: Name,
  key: Key,
) => Promise<RowOfKinds<T[Name]['columns']> | undefined>;

/**
 * Makes the function that reads rows by their key through the client: from the cache, else by a coordinator, and by Knex
 * where neither answers, or where the cache's row has a value that cannot be given as its column says.
 *
 * It is for reads outside of transactions: in one, read with `trx`.
 * @throws TypeError where Knex is told to change rows (`postProcessResponse`) or names (`wrapIdentifier`): rows from the
 *   cache would not be changed
 */
export function createRead<const T extends Tables>(
  lockstep: KeyReader,
  knex: Knex,
  tables: T,
): Read<T> {
  const { postProcessResponse, wrapIdentifier } = configOf(knex);
  if (postProcessResponse !== undefined || wrapIdentifier !== undefined)
    throw new TypeError(
      'Knex has postProcessResponse or wrapIdentifier, which would not see the rows from the cache.',
    );
  const maps = new Map(
    Object.entries(tables).map(([name, { columns }]) => [name, columnMapOf(columns)]),
  );
  return async (resource, key) => {
    const found = tables[resource];
    const map = maps.get(resource);
    if (found === undefined || map === undefined)
      throw new TypeError(`The resource ${resource} has no table here.`);
    const where = Object.fromEntries(keyPartsOf(found.key, key));
    const row = await readThrough(lockstep, [resource, key], map, async () => {
      const rows: unknown = await knex(found.table).where(where).first(Object.keys(found.columns));
      return rows ?? null;
    });
    return (row ?? undefined) as RowOfKinds<T[typeof resource]['columns']> | undefined;
  };
}

function inTransaction(trx: Knex.Transaction): void {
  if (trx.isTransaction !== true)
    throw new TypeError('This needs the transaction that changes the rows, not knex itself.');
}

function dialectOf(knex: Knex): Dialect {
  const { dialect } = knex.client as { dialect: string };
  const found = DIALECTS[dialect];
  if (found === undefined) throw new TypeError(`Lockstep has no database of the kind ${dialect}.`);
  return found;
}

const configOf = (knex: Knex): Knex.Config => (knex.client as { config: Knex.Config }).config;
