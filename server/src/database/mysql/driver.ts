import type { Connection } from 'mysql2';
import type { ColumnType } from '../../domain/index.ts';
import type { Driver, DriverOptions, RawResult, RawValue } from '../connections/driver.ts';
import { mysqlRefusalCodes, explainMysqlError } from './failure.ts';
import { PoolerRefused } from '../connections/pooler.ts';
import { mysqlResultType } from '../values/result-types.ts';

/** Strict, but for zero dates: a table that has them, or has one for its default, is written as it is. */
const SQL_MODE = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/** MySQL and MariaDB through `mysql2`. Results arrive as bytes, so that nothing is rounded on the way. */
export const mysqlDriver: Driver<Connection> = {
  rollsBackFailedCommits: false,
  refusalCodes: mysqlRefusalCodes,

  settings: (options) => ({
    client: 'mysql2',
    connection: {
      uri: options.connection,
      connectTimeout: options.connectTimeoutMs,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: true,
      multipleStatements: false,
    },
  }),

  announcedSession: (connection) => String(connection.threadId),

  async currentSession(connection) {
    // The handshake has room for 32 bits.
    const { rows } = await query(connection, 'select connection_id() & 0xffffffff', []);
    return String(rows[0]?.[0]);
  },

  async prepare(connection, options, isPooled) {
    await query(connection, sessionSettings(options), []);
    await query(connection, 'set session transaction isolation level read committed', []);
    await query(connection, settingsOfProduct(await version(connection), options), []);
    if (isPooled && !(await keepsSettings(connection, options))) {
      throw new PoolerRefused('does not keep what a session has set');
    }
  },

  async reset() {
    // Poolers of MySQL reset a session, or set what each client has set, before they hand it on.
  },

  run: (connection, sql) => query(connection, sql.text, sql.values),

  destroy(connection) {
    connection.destroy();
  },

  explain: explainMysqlError,
};

function query(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
): Promise<RawResult> {
  const options = { sql, values: [...values], rowsAsArray: true, typeCast: readBytes };
  return new Promise((resolve, reject) => {
    connection.query(options, (error, result, fields) => {
      if (error !== null) {
        Reflect.deleteProperty(error, 'sql'); // it holds the values, and errors end up in logs
        return reject(error);
      }
      if (Array.isArray(result)) {
        const columns = fields.map((field) => field.name);
        const types = (): ColumnType[] => fields.map(mysqlResultType);
        const rows = result as RawValue[][];
        return resolve({ columns, types, rows, affected: 0, insertId: null });
      }
      const insertId = String(result.insertId);
      resolve({
        columns: [],
        types: () => [],
        rows: [],
        affected: result.affectedRows,
        insertId: insertId === '0' ? null : insertId,
      });
    });
  });
}

const readBytes = (field: { buffer(): Buffer | null }): Buffer | null => field.buffer();

/**
 * A fixed offset, else UTC: a session of a zone whose clocks are put back tells two times of a `timestamp` alike.
 * (`zoned-catalog.ts` refuses tables in which the server would fill in the time of such a session.)
 */
const sessionZone = (name: string): string => (/^[+-]/.test(name) ? name : '+00:00');

function sessionSettings(options: DriverOptions): string {
  const lockWaitSeconds = Math.max(1, Math.ceil(options.statementTimeoutMs / 1000));
  return [
    `set names utf8mb4`,
    `@@session.time_zone = '${sessionZone(options.timeZone)}'`,
    `@@session.sql_mode = '${SQL_MODE}'`,
    `@@session.sql_quote_show_create = 1`,
    `@@session.innodb_lock_wait_timeout = ${lockWaitSeconds}`,
    `@@session.autocommit = 1`,
  ].join(', ');
}

/** A proxy may take a setting for itself, and not give it to the server. */
async function keepsSettings(connection: Connection, options: DriverOptions): Promise<boolean> {
  const { rows } = await query(
    connection,
    'select @@session.time_zone, @@session.sql_mode, @@session.autocommit',
    [],
  );
  const [timeZone, mode, autocommit] = (rows[0] ?? []).map(String);
  const modes = new Set(mode?.split(','));
  const hasModes = SQL_MODE.split(',').every((one) => modes.has(one));
  return timeZone === sessionZone(options.timeZone) && hasModes && autocommit === '1';
}

async function version(connection: Connection): Promise<string> {
  const { rows } = await query(connection, 'select version()', []);
  return String(rows[0]?.[0] ?? '');
}

/**
 * MariaDB bounds every statement; MySQL can only bound reads, and its writes are bounded by their lock waits. MySQL keeps
 * its estimate of a table's rows for a day where it is not told otherwise.
 */
function settingsOfProduct(serverVersion: string, options: DriverOptions): string {
  return serverVersion.includes('MariaDB')
    ? `set session max_statement_time = ${options.statementTimeoutMs / 1000}`
    : `set session max_execution_time = ${options.statementTimeoutMs}, information_schema_stats_expiry = 0`;
}
