import type pg from 'pg';
import type {
  Driver,
  DriverOptions,
  RawResult,
  SentSql,
} from '../../../database/connections/driver.ts';
import { pgRefusalCodes, explainPgError } from './failure.ts';
import { pgAddress } from '../address.ts';
import { runPipeline } from './pipeline.ts';
import { PreparedStatements } from './prepared.ts';
import { pgResultType } from './result-types.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';

/** Longest a transaction of several statements may wait for its client: a paused process must not hold locks for ever. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

const prepared = new PreparedStatements();

const asText = { getTypeParser: () => (text: string | Buffer) => text };

/** PostgreSQL through `pg`. Values travel as text both ways, so that nothing is rounded on the way. */
export const pgDriver: Driver<pg.Client> = {
  rollsBackFailedCommits: true,
  refusalCodes: pgRefusalCodes,

  settings: (options) => ({
    client: 'pg',
    connection: {
      ...pgAddress(options.connection),
      connectionTimeoutMillis: options.connectTimeoutMs,
      application_name: 'lockstep',
      keepAlive: true,
    },
  }),

  announcedSession(connection) {
    const announced: unknown = Reflect.get(connection, 'processID');
    return typeof announced === 'number' ? String(announced) : null;
  },

  async currentSession(connection) {
    const { rows } = await connection.query<[string]>({
      text: 'select pg_backend_pid()',
      rowMode: 'array',
      types: asText,
    });
    return String(rows[0]?.[0]);
  },

  async prepare(connection, options, isPooled) {
    if (isPooled) await connection.query('discard all');
    await connection.query(sessionSettings(options));
    outlive(connection, 'data');
    prepared.begin(connection);
  },

  async reset(connection) {
    await connection.query('discard all');
  },

  run: (connection, sql) =>
    sql.name === undefined
      ? send(connection, sql)
      : prepared.run(connection, () => send(connection, sql)),

  runTogether: (connection, statements, done) =>
    prepared.run(connection, () => {
      done.length = 0;
      return runPipeline(connection, statements, done);
    }),

  destroy(connection) {
    connection.connection.stream.destroy();
  },

  explain: explainPgError,
};

/**
 * The driver makes texts of what it reads while it reads, and what it throws there would end the process. A value that is
 * longer than a text can be ends its connection alone.
 */
function outlive({ connection: { stream } }: pg.Client, event: 'data'): void {
  for (const listener of stream.listeners(event)) {
    const guarded = (chunk: Buffer): void => {
      try {
        Reflect.apply(listener, stream, [chunk]);
      } catch (error) {
        stream.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    };
    stream.off(event, listener as (chunk: Buffer) => void);
    stream.on(event, guarded);
  }
}

async function send(connection: pg.Client, sql: SentSql): Promise<RawResult> {
  const result = await connection.query<(string | null)[]>({
    ...(sql.name === undefined ? {} : { name: sql.name }),
    text: sql.text,
    values: sql.values.map(toParameter),
    rowMode: 'array',
    types: asText,
  });
  return {
    columns: result.fields.map((field) => field.name),
    types: () => result.fields.map((field) => pgResultType(field.dataTypeID)),
    rows: result.rows,
    affected: result.rowCount ?? 0,
    insertId: null,
  };
}

/** An offset in the form of POSIX, whose sign is the other way round. */
const sessionZone = (name: string): string =>
  name.replace(/^[+-]/, (sign) => `<${name}>${sign === '+' ? '-' : '+'}`);

function sessionSettings(options: DriverOptions): string {
  const settings = {
    TimeZone: sessionZone(options.timeZone),
    DateStyle: 'ISO, YMD',
    IntervalStyle: 'iso_8601',
    bytea_output: 'hex',
    // All digits, whatever setting the role has.
    extra_float_digits: '3',
    client_encoding: 'UTF8',
    standard_conforming_strings: 'on',
    default_transaction_isolation: 'read committed',
    statement_timeout: String(options.statementTimeoutMs),
    lock_timeout: String(options.statementTimeoutMs),
    // Every statement finds its rows by a unique key: planning each call anew can only find the same plan again.
    plan_cache_mode: 'force_generic_plan',
    // A plan made while a table is small is kept when it has grown: by then only an index will do.
    enable_seqscan: 'off',
    jit: 'off',
    idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_TIMEOUT_MS),
  };
  return Object.entries(settings)
    .map(([name, value]) => `set ${name} = '${value}'`)
    .join('; ');
}

function toParameter(value: SqlValue): string | Buffer | null | (string | null)[] {
  if (value === null || typeof value === 'string' || Buffer.isBuffer(value)) return value;
  if (typeof value === 'object') return value.map((item) => (item === null ? null : String(item)));
  return String(value);
}
