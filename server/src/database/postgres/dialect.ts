import { PooledConnections } from '../connections/connections.ts';
import type { Dialect } from '../dialect.ts';
import { createPgCatalog } from './catalog.ts';
import { pgDriver } from './driver.ts';
import { pgReader } from './reader.ts';
import { PgRows } from './rows.ts';
import { pgTables } from './table-rows.ts';

/** PostgreSQL's advisory locks are numbers, and each database's own. */
const MIGRATION_LOCK = '4837206613920421';

export const postgres: Dialect = {
  client: 'pg',
  connect: (options) => new PooledConnections(options, pgDriver),
  createRows: (connections, runtime) => new PgRows(connections, runtime),
  createCatalog: createPgCatalog,
  reader: pgReader,
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
