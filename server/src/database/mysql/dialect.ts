import { PooledConnections } from '../connections/connections.ts';
import type { Dialect } from '../dialect.ts';
import { createMysqlCatalog } from './catalog.ts';
import { mysqlDriver } from './driver.ts';
import { mysqlReader } from './reader.ts';
import { MysqlRows } from './rows.ts';
import { mysqlTables } from './table-rows.ts';

/** Names of locks are the whole server's, and have 64 characters. */
const MIGRATION_LOCK = "concat('lockstep migrations ', left(sha2(database(), 256), 32))";

/**
 * MySQL commits each DDL statement by itself, so a migration that was cut off is there in part when it runs again:
 * the table, column or index exists already (1050, 1060, 1061) or is gone already (1051, 1091).
 */
const DONE_ALREADY = new Set([1050, 1051, 1060, 1061, 1091]);

/** MySQL and MariaDB. */
export const mysql: Dialect = {
  client: 'mysql2',
  connect: (options) => new PooledConnections(options, mysqlDriver),
  createRows: (connections, runtime) => new MysqlRows(connections, runtime),
  createCatalog: createMysqlCatalog,
  reader: mysqlReader,
  tables: mysqlTables,
  queries: {
    begin: ['start transaction read only'],
    place: (order, at) => {
      order.push(at);
      return '?';
    },
    // MySQL compares a number with text as two floats.
    parameter: (type, part) =>
      part !== null && (type === 'integer' || type === 'bigint') ? BigInt(part) : part,
    // MySQL shows a `timestamp` in the session's zone, which is the configured one where its offset is fixed.
    isInSessionZone: (type, timeZone) => type === 'timestamp' && /^[+-]/.test(timeZone),
  },
  migrations: {
    lock: (timeoutMs) => ({
      take: `select get_lock(${MIGRATION_LOCK}, ${timeoutMs / 1000})`,
      release: `select release_lock(${MIGRATION_LOCK})`,
    }),
    isTransactional: false,
    split: (script) => script.split(/;[^\S\n]*\n(?:\s*\n|$)/),
    isDoneAlready: (error) =>
      typeof error === 'object' &&
      error !== null &&
      'errno' in error &&
      DONE_ALREADY.has(Number(error.errno)),
  },
};
