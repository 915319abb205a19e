import type { Key, Resource } from '../domain/index.ts';
import type { Session } from './connections/bounded-session.ts';
import { type Connections, openConnections } from './connections/connections.ts';
import { MysqlStatements, rowKeyBindings, sendMysql } from './mysql/statements.ts';
import { versionedRow as mysqlRow } from './mysql/row-store.ts';
import type { DatabaseOptions } from './open-database.ts';
import { sendPg } from './postgres/names.ts';
import { versionedRow as pgRow } from './postgres/versioned-row.ts';
import { PgStatements } from './postgres/statements.ts';
import { keyBindings } from './postgres/write-bindings.ts';
import type { VersionedRow } from './port.ts';
import { createSqlRunner, toSqlResult } from './connections/sql-runner.ts';
import { dialectText } from './statements/sql-text.ts';
import type { DatabaseClient, SqlRow, SqlRunner, SqlStatement } from './statements/sql.ts';
import { toDatabaseError } from './connections/statement-failure.ts';

/** A row, and what a statement answered on the same connection before and after it was read. */
export interface SurroundedRow {
  before: SqlRow;
  row: VersionedRow;
  after: SqlRow;
}

/** One server that only answers reads. Nothing is ever written to it, and nothing is migrated. */
export interface ReplicaDatabase {
  readonly sql: SqlRunner;
  /**
   * Reads a row, with `around` (constant, without values) before and after it on the very same connection: an address
   * may stand for several servers.
   * @throws LockstepError `DATABASE_UNAVAILABLE`
   */
  readSurrounded(key: Key, around: SqlStatement): Promise<SurroundedRow>;
  close(): Promise<void>;
}

/** Opens a replica of the database. Nothing is connected until it is used. */
export function openReplica(options: DatabaseOptions): ReplicaDatabase {
  const { client } = options;
  const connections = openConnections(options);
  return {
    sql: createSqlRunner(connections),
    readSurrounded: (key, around) =>
      surrounded(connections, dialectText(around, client), (session) =>
        READ_ROW[client](session, key),
      ).catch((error: unknown) => {
        throw toDatabaseError(error, 'read');
      }),
    close: () => connections.close(),
  };
}

type ReadRow = (session: Session, key: Key) => Promise<VersionedRow>;

function surrounded(
  connections: Connections,
  around: string,
  read: (session: Session) => Promise<VersionedRow>,
): Promise<SurroundedRow> {
  return connections.use(async (session) => {
    const ask = async (): Promise<SqlRow> =>
      toSqlResult(await session.run({ text: around, values: [] })).rows[0] ?? {};
    const before = await ask();
    const row = await read(session);
    return { before, row, after: await ask() };
  });
}

/** One set for all replicas: a name is one statement, on whichever server. */
const pgStatements = new WeakMap<Resource, PgStatements>();
const mysqlStatements = new WeakMap<Resource, MysqlStatements>();

function ofResource<S>(
  kept: WeakMap<Resource, S>,
  resource: Resource,
  make: new (resource: Resource) => S,
): S {
  let statements = kept.get(resource);
  if (statements === undefined) {
    statements = new make(resource);
    kept.set(resource, statements);
  }
  return statements;
}

const READ_ROW: Record<DatabaseClient, ReadRow> = {
  pg: async (session, key) => {
    const { read } = ofResource(pgStatements, key.resource, PgStatements);
    const { rows } = await session.run(sendPg(read, keyBindings(key)));
    return pgRow(key, rows[0] ?? []);
  },
  mysql2: async (session, key) => {
    const { read } = ofResource(mysqlStatements, key.resource, MysqlStatements);
    const { rows } = await session.run(sendMysql(read, rowKeyBindings(key)));
    return mysqlRow(key, rows[0] ?? []);
  },
};
