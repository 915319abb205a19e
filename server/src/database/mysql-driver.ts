import type { Connection } from 'mysql2';
import type { ColumnType } from '../domain/index.ts';
import type { Driver, DriverOptions, RawResult, RawValue } from './driver.ts';
import { mysqlResultType } from './result-types.ts';
import { StatementFailure, type FailureKind } from './statement-failure.ts';

const SQL_MODE =
  'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/** MySQL and MariaDB through `mysql2`. Results arrive as bytes, so that nothing is rounded on the way. */
export const mysqlDriver: Driver<Connection> = {
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

  async prepare(connection, options) {
    await query(connection, sessionSettings(options), []);
    await query(connection, 'set session transaction isolation level read committed', []);
    await query(connection, settingsOfProduct(await version(connection), options), []);
  },

  run: (connection, sql) => query(connection, sql.text, sql.values),

  destroy(connection) {
    connection.destroy();
  },

  explain,
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

function sessionSettings(options: DriverOptions): string {
  const lockWaitSeconds = Math.max(1, Math.ceil(options.statementTimeoutMs / 1000));
  return [
    `set names utf8mb4`,
    `@@session.time_zone = '+00:00'`,
    `@@session.sql_mode = '${SQL_MODE}'`,
    `@@session.innodb_lock_wait_timeout = ${lockWaitSeconds}`,
    `@@session.autocommit = 1`,
  ].join(', ');
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

const DEADLOCK = 1213;
const RETRYABLE = new Set([DEADLOCK, 1205, 1020]);
const REFUSED = new Set([
  1048, 1062, 1169, 1216, 1217, 1264, 1265, 1292, 1364, 1365, 1366, 1367, 1406, 1411, 1441, 1451,
  1452, 1525, 1586, 1644, 1690, 1978, 3140, 3141, 3156, 3157, 3819, 4025, 4161,
]);
const BROKEN = new Set([1044, 1049, 1054, 1064, 1142, 1143, 1146, 1305, 1356]);
/** The server ends the session: killed or shutting down. */
const ENDED = new Set([1053, 1927, 3169]);

interface ServerError {
  errno: number;
  sqlMessage: string;
  fatal: boolean;
}

function explain(error: unknown): StatementFailure {
  if (error instanceof StatementFailure) return error;
  const answer = serverError(error);
  if (answer === null || answer.fatal || ENDED.has(answer.errno)) {
    const code = answer === null ? driverCode(error) : String(answer.errno);
    return new StatementFailure({ kind: 'lost', code, cause: error });
  }
  const { errno, sqlMessage } = answer;
  return new StatementFailure({
    kind: kindOf(errno),
    code: String(errno),
    passing: RETRYABLE.has(errno),
    constraint: constraintOf(errno, sqlMessage),
    column: lastMatch(/(?:column|field) [`'](?:[^`']*[`']\.[`'])*([^`']+)[`']/gi, sqlMessage),
    cause: error,
  });
}

function kindOf(errno: number): FailureKind {
  if (REFUSED.has(errno)) return 'refused';
  return BROKEN.has(errno) ? 'broken' : 'rolled-back';
}

/** The name of the constraint. A message holds values too, in front: names are therefore looked for from its end. */
function constraintOf(errno: number, message: string): string | null {
  if (errno === 1062 || errno === 1586) {
    return lastMatch(/for key '(?:[^']*\.)?([^'.]+)'$/g, message);
  }
  return lastMatch(/constraint [`']([^`']+)[`']/gi, message);
}

function lastMatch(pattern: RegExp, text: string): string | null {
  return [...text.matchAll(pattern)].at(-1)?.[1] ?? null;
}

function serverError(error: unknown): ServerError | null {
  if (!(error instanceof Error) || !('errno' in error) || !('sqlState' in error)) return null;
  const { errno } = error;
  if (typeof errno !== 'number' || errno <= 0 || typeof error.sqlState !== 'string') return null;
  return {
    errno,
    sqlMessage: 'sqlMessage' in error ? String(error.sqlMessage) : '',
    fatal: 'fatal' in error && error.fatal === true,
  };
}

function driverCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return 'NO_ANSWER';
}
