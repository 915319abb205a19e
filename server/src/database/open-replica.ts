import type { Key } from '../domain/index.ts';
import type { Session } from './connections/bounded-session.ts';
import type { Connections } from './connections/connections.ts';
import type { DatabaseOptions } from './open-database.ts';
import type { VersionedRow } from './port.ts';
import { createSqlRunner, toSqlResult } from './connections/sql-runner.ts';
import { dialectText } from './statements/sql-text.ts';
import type { SqlRow, SqlRunner, SqlStatement } from './statements/sql.ts';
import { toDatabaseError } from './connections/statement-failure.ts';
import { readRow } from './write/row-dialect.ts';

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
  const { dialect } = options;
  const connections = dialect.connect(options);
  return {
    sql: createSqlRunner(connections, dialect),
    readSurrounded: (key, around) =>
      surrounded(connections, dialectText(around, dialect), (session) =>
        readRow(dialect.reader, session, key),
      ).catch((error: unknown) => {
        throw toDatabaseError(error, 'read');
      }),
    close: () => connections.close(),
  };
}

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
