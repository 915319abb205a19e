import type { Row } from '@lockstep/shared';
import { keyFromRow, LockstepError, type Key, type Resource } from '../domain/index.ts';
import type { Connections, Session } from './connections.ts';
import type { RawResult, RawValue } from './driver.ts';
import { select } from './pg-names.ts';
import { decodeRow } from './row-text.ts';
import readVersionsMysql from './sql/mysql/read-versions.sql?raw';
import versionsOfPg from './sql/pg/versions-of.sql?raw';
import wholeTableSql from './sql/whole-table.sql?raw';
import { bindSql, compileSql, quoteName, renderSql } from './sql-text.ts';
import type { DatabaseClient, SqlBindings } from './sql.ts';
import { toDatabaseError } from './statement-failure.ts';

/** A row of a table with its key and the version that the database has for it. */
export interface KeyedRow {
  key: Key;
  version: number;
  row: Row;
}

/** Reads small tables whole. */
export interface TableReader {
  /**
   * Every row of the resource's table, in one snapshot. Rows that no key can name are left out.
   * @throws LockstepError `TOO_LARGE` where there are more than `maxRows`, `DATABASE_UNAVAILABLE`
   */
  readAll(resource: Resource, maxRows: number): Promise<KeyedRow[]>;
}

/** What begins a snapshot; it ends with a rollback. */
const BEGIN: Record<DatabaseClient, readonly string[]> = {
  pg: ['start transaction isolation level repeatable read, read only'],
  mysql2: [
    'set transaction isolation level repeatable read',
    'start transaction with consistent snapshot, read only',
  ],
};
const VERSIONS = {
  pg: compileSql('pg', versionsOfPg),
  mysql2: compileSql('mysql2', readVersionsMysql),
};
/** Keys that one statement names. */
const KEY_BATCH = 5_000;

export function createTableReader(connections: Connections): TableReader {
  return {
    async readAll(resource, maxRows) {
      try {
        return await connections.use((session) =>
          inSnapshot(session, connections.client, () =>
            readWhole(session, connections.client, resource, maxRows),
          ),
        );
      } catch (error) {
        throw error instanceof LockstepError ? error : toDatabaseError(error, 'read');
      }
    },
  };
}

async function readWhole(
  session: Session,
  client: DatabaseClient,
  resource: Resource,
  maxRows: number,
): Promise<KeyedRow[]> {
  const sql = compileSql(client, renderSql(wholeTableSql, fragmentsOf(client, resource)));
  const { rows } = await send(session, sql, { limit: maxRows + 1 });
  if (rows.length > maxRows) {
    const text = `The table ${resource.table} has more than ${maxRows} rows (refresh.maxRows).`;
    throw new LockstepError('TOO_LARGE', text);
  }
  const keyed = rows.flatMap((values) => keyedRow(resource, values) ?? []);
  const versions = new Map<string, number>();
  for (let at = 0; at < keyed.length; at += KEY_BATCH) {
    const keys = keyed.slice(at, at + KEY_BATCH).map(({ key }) => key.text);
    const known = await send(session, VERSIONS[client], { resource: resource.name, keys });
    for (const [key, version] of known.rows) versions.set(String(key), Number(version));
  }
  return keyed.map(({ key, row }) => ({ key, row, version: versions.get(key.text) ?? 0 }));
}

function fragmentsOf(client: DatabaseClient, { table, columns }: Resource) {
  const names = columns.map((column) =>
    client === 'pg' ? select('r', column) : `r.${quoteName(client, column.name)}`,
  );
  return { table: quoteName(client, table), columns: names.join(', ') };
}

function keyedRow(resource: Resource, values: readonly RawValue[]): { key: Key; row: Row } | null {
  const row = decodeRow(resource.columns, values);
  try {
    const key = keyFromRow(resource, row);
    return key === null ? null : { key, row };
  } catch (error) {
    if (error instanceof LockstepError) return null;
    throw error;
  }
}

function send(
  session: Session,
  sql: ReturnType<typeof compileSql>,
  bindings: SqlBindings,
): Promise<RawResult> {
  return session.run({ text: sql.text, values: bindSql(sql, bindings) });
}

async function inSnapshot<T>(
  session: Session,
  client: DatabaseClient,
  read: () => Promise<T>,
): Promise<T> {
  for (const text of BEGIN[client]) await session.run({ text, values: [] });
  try {
    return await read();
  } finally {
    await session.run({ text: 'rollback', values: [] });
  }
}
