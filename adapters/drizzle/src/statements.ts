import type { Guard, Key } from '@lockstep/client';
import { type Dialect, invalidateSql, type SqlStatement } from '@lockstep/client/sql';
import { is, type SQL, sql, type SQLWrapper } from 'drizzle-orm';
import { MySqlDatabase, MySqlTransaction } from 'drizzle-orm/mysql-core';
import { PgDatabase, PgTransaction } from 'drizzle-orm/pg-core';

/** A transaction of Drizzle's, of PostgreSQL or MySQL. */
export interface Transaction {
  execute(query: SQLWrapper): PromiseLike<unknown>;
  rollback(): never;
}

const DATABASES = [
  { dialect: 'pg', database: PgDatabase, transaction: PgTransaction },
  { dialect: 'mysql2', database: MySqlDatabase, transaction: MySqlTransaction },
] as const;

/** @throws TypeError where it is neither PostgreSQL nor MySQL */
export function dialectOf(db: unknown): Dialect {
  const found = DATABASES.find(({ database }) => is(db, database));
  if (found !== undefined) return found.dialect;
  throw new TypeError(
    'Lockstep keeps PostgreSQL, MySQL and MariaDB in step, and no other database.',
  );
}

/** Whether it is a transaction of Drizzle's. */
export const isTransaction = (db: unknown): boolean =>
  DATABASES.some(({ transaction }) => is(db, transaction));

/**
 * Invalidates a row's entries with the commit of the transaction that changed it. It rolls back with it.
 * @param key the first parts of a composite key: every row whose key begins with them; absent: the whole resource
 * @throws TypeError where `tx` is no transaction; what the database says (docs/own-transactions.md), and then the
 *   transaction has failed
 */
export async function invalidate(tx: Transaction, resource: string, key?: Key): Promise<void> {
  inTransaction(tx);
  await tx.execute(queryOf(invalidateSql(dialectOf(tx), resource, key)));
}

/**
 * Calls `lockstep_guard` for all keys of a guard. Do it first in the transaction that `client.guard` runs: it fails where
 * another holder came in between, and the transaction must then roll back.
 * @throws TypeError where `tx` is no transaction; what the database says
 */
export async function callGuard(tx: Transaction, guard: Guard): Promise<void> {
  inTransaction(tx);
  for (const { resource, key } of guard.keys) await tx.execute(queryOf(guard.sql(resource, key)));
}

function inTransaction(tx: Transaction): void {
  if (!isTransaction(tx))
    throw new TypeError('This needs the transaction that changes the rows, not the database.');
}

/** A statement's only question marks are those of its values. */
function queryOf([text, values]: SqlStatement): SQL {
  const [first = '', ...rest] = text.split('?');
  const chunks = rest.flatMap((part, index) => [sql`${values[index]}`, sql.raw(part)]);
  return sql.join([sql.raw(first), ...chunks]);
}
