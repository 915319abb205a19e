import { PooledConnections } from '../../database/connections/connections.ts';
import type { Dialect } from '../../database/dialect.ts';
import { createPgCatalog } from './rows/catalog.ts';
import { pgDriver } from './rows/driver.ts';
import { pgReader } from './rows/reader.ts';
import { PgRows } from './rows/rows.ts';
import { pgTables } from './rows/table-rows.ts';
import { pgScripts } from '@lockstep/migrations/pg';
import { pgCapture } from './capture-triggers.ts';
import { pgChangeLog } from './change-log/change-log.ts';
import { postgresCodes } from './error-codes.ts';
import { pgReplicas } from './replica-positions.ts';
import { pgRights } from './rights.ts';
import { POSTGRES, POSTGRES_QUERIES } from './spelling.ts';
import { sqlFiles } from './sql/index.ts';

/** PostgreSQL's advisory locks are numbers, and each database's own. */
const MIGRATION_LOCK = '4837206613920421';

export const postgres: Dialect = {
  client: 'pg',
  urlSchemes: ['postgres', 'postgresql'],
  spelling: POSTGRES,
  codes: postgresCodes,
  sqlFiles,
  holds: { nonFiniteFloats: true, numbersInBooleans: false },
  rights: pgRights,
  changeLog: pgChangeLog,
  replicas: pgReplicas,
  capture: pgCapture,
  connect: (options) => new PooledConnections(options, pgDriver),
  createRows: (connections, runtime) => new PgRows(connections, runtime),
  createCatalog: createPgCatalog,
  reader: pgReader,
  tables: pgTables,
  queries: {
    spelling: POSTGRES_QUERIES,
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
    scripts: pgScripts,
    lock: () => ({
      take: `select pg_advisory_lock(${MIGRATION_LOCK})`,
      release: `select pg_advisory_unlock(${MIGRATION_LOCK})`,
    }),
    isTransactional: true,
    split: (script) => [script],
    isDoneAlready: () => false,
  },
};
