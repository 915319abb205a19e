import { PooledConnections } from '../../database/connections/connections.ts';
import type { Dialect } from '../../database/dialect.ts';
import { createMysqlCatalog } from './rows/catalog.ts';
import { mysqlDriver } from './rows/driver.ts';
import { mysqlReader } from './rows/reader.ts';
import { MysqlRows } from './rows/rows.ts';
import { mysqlTables } from './rows/table-rows.ts';
import { mysqlScripts } from '@lockstep/migrations/mysql';
import { mysqlCapture } from './capture-triggers.ts';
import { mysqlChangeLog } from './change-log/change-log.ts';
import { mysqlCodes } from './error-codes.ts';
import { mysqlReplicas } from './replica-positions.ts';
import { mysqlRights } from './rights.ts';
import { MYSQL, MYSQL_QUERIES } from './spelling.ts';
import { sqlFiles } from './sql/index.ts';

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
  urlSchemes: ['mysql', 'mariadb'],
  spelling: MYSQL,
  codes: mysqlCodes,
  sqlFiles,
  holds: { nonFiniteFloats: false, numbersInBooleans: true },
  rights: mysqlRights,
  changeLog: mysqlChangeLog,
  replicas: mysqlReplicas,
  capture: mysqlCapture,
  connect: (options) => new PooledConnections(options, mysqlDriver),
  createRows: (connections, runtime) => new MysqlRows(connections, runtime),
  createCatalog: createMysqlCatalog,
  reader: mysqlReader,
  tables: mysqlTables,
  queries: {
    spelling: MYSQL_QUERIES,
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
    scripts: mysqlScripts,
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
