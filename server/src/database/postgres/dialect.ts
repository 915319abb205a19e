import { sendSql } from '../connections/driver.ts';
import type { Resource } from '../../domain/index.ts';
import { openConnections } from '../connections/connections.ts';
import type { Dialect } from '../dialect.ts';
import { createPgCatalog } from './catalog.ts';
import { pgDriver } from './driver.ts';
import { SqlRowStore } from '../write/sql-row-store.ts';
import { PgRows } from './rows.ts';
import { PgStatements } from './statements.ts';
import { pgTables } from './table-rows.ts';
import { versionedRow } from './versioned-row.ts';
import { keyBindings } from './write-bindings.ts';

/** PostgreSQL's advisory locks are numbers, and each database's own. */
const MIGRATION_LOCK = '4837206613920421';

/** Shared by all replicas: a name stands for one statement, on whichever server. */
const statements = new WeakMap<Resource, PgStatements>();

function statementsOf(resource: Resource): PgStatements {
  let known = statements.get(resource);
  if (known === undefined) statements.set(resource, (known = new PgStatements(resource)));
  return known;
}

export const postgres: Dialect = {
  client: 'pg',
  connect: (options) => openConnections(options, pgDriver),
  createRowStore: (connections, runtime) =>
    new SqlRowStore(connections, new PgRows(connections, runtime)),
  createCatalog: createPgCatalog,
  async readRow(session, key) {
    const { read } = statementsOf(key.resource);
    const { rows } = await session.run(sendSql(read, keyBindings(key)));
    return versionedRow(key, rows[0] ?? []);
  },
  tables: pgTables,
  queries: {
    begin: [
      'start transaction read only',
      // The connections are set for rows by unique keys; a query is planned anew.
      `select set_config('enable_seqscan', 'on', true), set_config('plan_cache_mode', 'auto', true)`,
    ],
    place: (order, at) => {
      if (!order.includes(at)) order.push(at);
      return `$${order.indexOf(at) + 1}`;
    },
    parameter: (_type, part) => part,
    isInSessionZone: () => false,
  },
  migrations: {
    lock: () => ({
      take: `select pg_advisory_lock(${MIGRATION_LOCK})`,
      release: `select pg_advisory_unlock(${MIGRATION_LOCK})`,
    }),
    isTransactional: true,
    split: (script) => [script],
    isDoneAlready: () => false,
  },
};
