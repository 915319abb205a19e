import type { Connection, FieldPacket, ResultSetHeader } from 'mysql2';
import { LockstepError, type ColumnType } from '../../../domain/index.ts';
import type {
  Driver,
  DriverOptions,
  RawResult,
  RawValue,
  SentSql,
} from '../../../database/connections/driver.ts';
import { mysqlAddress } from '../address.ts';
import { explainMysqlError, mysqlRefusalCodes, noteAnswered } from './failure.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { PoolerRefused } from '../../../database/connections/pooler.ts';
import { mysqlResultType } from './result-types.ts';

/** Strict, but for zero dates: a table that has them, or has one for its default, is written as it is. */
const SQL_MODE = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/**
 * By this, capture triggers know a session of Lockstep's. Behind a pooler the session may outlive a coordinator that is
 * killed, and then be another program's, whose changes would be missed: Lockstep's own are then captured too.
 */
const MARK_OWN = 'set @lockstep_own = connection_id()';

/** MySQL and MariaDB through `mysql2`. Results arrive as bytes, so that nothing is rounded on the way. */
export const mysqlDriver: Driver<Connection> = {
  rollsBackFailedCommits: false,
  refusalCodes: mysqlRefusalCodes,

  settings: (options) => ({
    client: 'mysql2',
    connection: {
      ...mysqlAddress(options.connection),
      connectTimeout: options.connectTimeoutMs,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: true,
      // Why that is safe: docs/decisions/0037-few-round-trips-on-mysql.md
      multipleStatements: true,
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
    if (!isPooled) await query(connection, MARK_OWN, []);
    await query(connection, settingsOfProduct(await version(connection), options), []);
    if (isPooled && !(await keepsSettings(connection, options))) {
      throw new PoolerRefused('does not keep what a session has set');
    }
  },

  async reset() {
    // Poolers of MySQL reset a session, or set what each client has set, before they hand it on.
  },

  run: (connection, sql) => query(connection, sql.text, sql.values),

  runAll: queryAll,

  destroy(connection) {
    connection.destroy();
  },

  explain: explainMysqlError,
};

async function query(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
): Promise<RawResult> {
  const { result, fields } = await send(connection, sql, values);
  return toRawResult(result as Answer, fields as FieldPacket[]);
}

async function queryAll(
  connection: Connection,
  statements: readonly SentSql[],
): Promise<RawResult[]> {
  const results: RawResult[] = [];
  for (const message of inMessages(statements)) {
    try {
      results.push(...(await queryMessage(connection, message)));
    } catch (error) {
      if (error instanceof Error) noteAnswered(error, results.length);
      throw error;
    }
  }
  return results;
}

/** The server takes no message above its `max_allowed_packet`. */
function inMessages(statements: readonly SentSql[]): SentSql[][] {
  let message: SentSql[] = [];
  let bytes = 0;
  const messages = [message];
  for (const sql of statements) {
    const size = sql.values.reduce((sum: number, value) => sum + sizeOf(value), sql.text.length);
    if (message.length > 0 && bytes + size > MAX_MESSAGE_BYTES) {
      message = [];
      messages.push(message);
      bytes = 0;
    }
    message.push(sql);
    bytes += size;
  }
  return messages;
}

const MAX_MESSAGE_BYTES = 262_144;

/** About: bytes are sent as two digits each, a character as up to four bytes. */
function sizeOf(value: SqlValue): number {
  if (typeof value === 'string') return value.length;
  if (Buffer.isBuffer(value)) return 2 * value.length;
  return typeof value === 'object' && value !== null
    ? value.reduce((sum: number, item) => sum + sizeOf(item), 0)
    : 8;
}

async function queryMessage(
  connection: Connection,
  statements: readonly SentSql[],
): Promise<RawResult[]> {
  const text = statements.map((sql) => sql.text).join(';\n');
  const values = statements.flatMap((sql) => sql.values);
  const { result, fields } = await send(connection, text, values);
  // The driver answers one statement without a list.
  if (statements.length === 1) return [toRawResult(result as Answer, fields as FieldPacket[])];
  const answers = result as Answer[];
  if (answers.length !== statements.length) {
    throw new LockstepError('INTERNAL', 'The server answers another number of statements.');
  }
  const lists = fields as FieldPacket[][];
  return answers.map((answer, index) => toRawResult(answer, lists[index] ?? []));
}

type Answer = ResultSetHeader | RawValue[][];

function send(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
): Promise<{ result: unknown; fields: unknown }> {
  const options = { sql, values: [...values], rowsAsArray: true, typeCast: readBytes };
  return new Promise((resolve, reject) => {
    let answered = 0;
    const query = connection.query(
      options,
      (error: Error | null, result: unknown, fields: unknown) => {
        if (error === null) return resolve({ result, fields });
        Reflect.deleteProperty(error, 'sql'); // it holds the values, and errors end up in logs
        noteAnswered(error, answered);
        reject(error);
      },
    );
    // Told as each statement's answer begins.
    query.on('fields', () => (answered += 1));
  });
}

function toRawResult(result: Answer, fields: readonly FieldPacket[]): RawResult {
  if (Array.isArray(result)) {
    const columns = fields.map((field) => field.name);
    const types = (): ColumnType[] => fields.map(mysqlResultType);
    return { columns, types, rows: result, affected: 0, insertId: null };
  }
  const insertId = String(result.insertId);
  return {
    columns: [],
    types: () => [],
    rows: [],
    affected: result.affectedRows,
    insertId: insertId === '0' ? null : insertId,
  };
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
  // In this mode a backslash is no escape, and the driver's quoted values could end early.
  const isEscaped = !modes.has('NO_BACKSLASH_ESCAPES');
  const isZoned = timeZone === sessionZone(options.timeZone);
  return isZoned && hasModes && isEscaped && autocommit === '1';
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
