import type { Guard, Key } from '@lockstep/client';
import { type Dialect, invalidateSql } from '@lockstep/client/sql';
import type { EntityManager, QueryRunner } from 'typeorm';

interface Database {
  dialect: Dialect;
  placeholders: '?' | '$';
}

/** TypeORM's names of the databases that Lockstep keeps in step. */
const DATABASES: Readonly<Record<string, Database>> = {
  postgres: { dialect: 'pg', placeholders: '$' },
  mysql: { dialect: 'mysql2', placeholders: '?' },
  mariadb: { dialect: 'mysql2', placeholders: '?' },
};

/** @throws TypeError where it is another database */
export function databaseOf({ dataSource }: Pick<EntityManager, 'dataSource'>): Database {
  const { type } = dataSource.options;
  const found = DATABASES[type];
  if (found === undefined) throw new TypeError(`Lockstep has no database of the kind ${type}.`);
  return found;
}

/**
 * Invalidates a row's entries with the commit of the transaction that changed it. It rolls back with it.
 * @param key the first parts of a composite key: every row whose key begins with them; absent: the whole resource
 * @throws TypeError where `manager` is not that of a transaction; what the database says (docs/own-transactions.md), and
 *   then the transaction has failed
 */
export async function invalidate(
  manager: EntityManager,
  resource: string,
  key?: Key,
): Promise<void> {
  const runner = runnerOf(manager);
  const { dialect, placeholders } = databaseOf(manager);
  await runner.query(...invalidateSql(dialect, resource, key, placeholders));
}

/**
 * Calls `lockstep_guard` for all keys of a guard. Do it first in the transaction that `client.guard` runs: it fails where
 * another holder came in between, and the transaction must then roll back.
 * @throws TypeError where `manager` is not that of a transaction; what the database says
 */
export async function callGuard(manager: EntityManager, guard: Guard): Promise<void> {
  const runner = runnerOf(manager);
  const { placeholders } = databaseOf(manager);
  for (const { resource, key } of guard.keys)
    await runner.query(...guard.sql(resource, key, placeholders));
}

function runnerOf({ queryRunner }: EntityManager): QueryRunner {
  if (queryRunner?.isTransactionActive !== true)
    throw new TypeError('This needs the manager of the transaction that changes the rows.');
  return queryRunner;
}
