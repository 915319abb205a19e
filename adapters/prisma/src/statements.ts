import type { Guard, Key } from '@lockstep/client';
import { type Dialect, invalidateSql } from '@lockstep/client/sql';

/** The client of a transaction, as `$transaction` gives it. */
export interface Transaction {
  $executeRawUnsafe(query: string, ...values: unknown[]): PromiseLike<unknown>;
  /** It has none: by that it is told from the client itself. */
  $connect?: never;
}

interface Database {
  dialect: Dialect;
  placeholders: '?' | '$';
}
/** Prisma's names of the databases that Lockstep keeps in step. */
const DATABASES: Readonly<Record<string, Database>> = {
  postgresql: { dialect: 'pg', placeholders: '$' },
  mysql: { dialect: 'mysql2', placeholders: '?' },
};

/**
 * Invalidates a row's entries with the commit of the transaction that changed it. It rolls back with it.
 * @param key the first parts of a composite key: every row whose key begins with them; absent: the whole resource
 * @throws TypeError where `tx` is no transaction; what the database says (docs/own-transactions.md), and then the
 *   transaction has failed
 */
export async function invalidate(tx: Transaction, resource: string, key?: Key): Promise<void> {
  inTransaction(tx);
  const { dialect, placeholders } = databaseOf(tx);
  const [text, values] = invalidateSql(dialect, resource, key, placeholders);
  await tx.$executeRawUnsafe(text, ...values);
}

/**
 * Calls `lockstep_guard` for all keys of a guard. Do it first in the transaction that `client.guard` runs: it fails where
 * another holder came in between, and the transaction must then roll back.
 * @throws TypeError where `tx` is no transaction; what the database says
 */
export async function callGuard(tx: Transaction, guard: Guard): Promise<void> {
  inTransaction(tx);
  const { placeholders } = databaseOf(tx);
  for (const { resource, key } of guard.keys) {
    const [text, values] = guard.sql(resource, key, placeholders);
    await tx.$executeRawUnsafe(text, ...values);
  }
}

function inTransaction(tx: Transaction): void {
  if ('$connect' in tx && tx.$connect !== undefined)
    throw new TypeError('This needs the transaction that changes the rows, not the client.');
}

/** @throws TypeError where it is another database, or this version of Prisma does not say which */
export function databaseOf(tx: object): Database {
  const { _activeProvider: provider } = tx as { _activeProvider?: string };
  const found = DATABASES[provider ?? ''];
  if (found === undefined)
    throw new TypeError(`Lockstep has no database of the kind ${provider ?? 'unknown'}.`);
  return found;
}
