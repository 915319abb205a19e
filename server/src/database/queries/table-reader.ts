import type { Row } from '@lockstep/shared';
import {
  keyFromRow,
  LockstepError,
  type Key,
  type Resource,
  rowsName,
} from '../../domain/index.ts';
import type { Connections, Session } from '../connections/connections.ts';
import type { RawResult, RawValue } from '../connections/driver.ts';
import { digestOfRow, mysqlRowTag } from '../mysql/row-tag.ts';
import { selectMysql } from '../mysql/statements.ts';
import { select } from '../postgres/names.ts';
import { pgRowTag } from '../postgres/row-tag.ts';
import { decodeRow } from '../values/row-text.ts';
import readVersionsMysql from '../mysql/sql/read-versions.sql?raw';
import versionsOfPg from '../postgres/sql/versions-of.sql?raw';
import wholeTableMysql from '../mysql/sql/whole-table.sql?raw';
import wholeTablePg from '../postgres/sql/whole-table.sql?raw';
import { bindSql, compileSql, quoteTable, renderSql } from '../statements/sql-text.ts';
import type { DatabaseClient, SqlBindings } from '../statements/sql.ts';
import { toDatabaseError } from '../connections/statement-failure.ts';

/** A row of a table with its key and the version that the database has for it. */
export interface KeyedRow {
  key: Key;
  version: number;
  row: Row;
  /** As in `VersionedRow`. */
  tag?: string;
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
/** What `lockstep_keys` has of a key: its version, and what tells the row that Lockstep's last write left. */
interface StoredVersion {
  version: number;
  left: RawValue;
}

const NEVER_WRITTEN: StoredVersion = { version: 0, left: null };

interface Dialect {
  whole: string;
  /** Where the row's values begin. */
  rowAt: number;
  tagOf: (
    resource: Resource,
    stored: StoredVersion,
    values: readonly RawValue[],
  ) => string | undefined;
}

const DIALECTS: Record<DatabaseClient, Dialect> = {
  pg: {
    whole: wholeTablePg,
    rowAt: 2,
    tagOf: (resource, { version, left }, [xid = null, nextXid = null]) => {
      const changedBy = version > 0 && xid === left ? null : xid;
      return pgRowTag(resource, { version, changedBy, nextXid });
    },
  },
  mysql2: {
    whole: wholeTableMysql,
    rowAt: 0,
    tagOf: (resource, { version, left }, values) =>
      mysqlRowTag(version, left, digestOfRow(resource, values)),
  },
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
  const { whole, rowAt, tagOf } = DIALECTS[client];
  const sql = compileSql(client, renderSql(whole, fragmentsOf(client, resource)));
  const { rows } = await send(session, sql, { limit: maxRows + 1 });
  if (rows.length > maxRows) {
    const text = `The table ${resource.table} has more than ${maxRows} rows (refresh.maxRows).`;
    throw new LockstepError('TOO_LARGE', text);
  }
  const keyed = rows.flatMap((values) => keyedRow(resource, values, rowAt) ?? []);
  const stored = new Map<string, StoredVersion>();
  for (let at = 0; at < keyed.length; at += KEY_BATCH) {
    const keys = keyed.slice(at, at + KEY_BATCH).map(({ key }) => key.rowText);
    const known = await send(session, VERSIONS[client], { resource: rowsName(resource), keys });
    for (const [key, version, , left = null] of known.rows)
      stored.set(String(key), { version: Number(version), left });
  }
  return keyed.map(({ key, row, values }) => {
    const { version, left } = stored.get(key.rowText) ?? NEVER_WRITTEN;
    const tag = tagOf(resource, { version, left }, values);
    return { key, row, version, ...(tag === undefined ? {} : { tag }) };
  });
}

function fragmentsOf(client: DatabaseClient, { table, schema, columns }: Resource) {
  const names =
    client === 'pg'
      ? columns.map((column) => select('r', column)).join(', ')
      : selectMysql(columns);
  return { table: quoteTable(client, table, schema), columns: names };
}

function keyedRow(
  resource: Resource,
  values: readonly RawValue[],
  rowAt: number,
): { key: Key; row: Row; values: readonly RawValue[] } | null {
  const row = decodeRow(resource.columns, values, rowAt);
  const key = keyFromRow(resource, row);
  return key === null ? null : { key, row, values };
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
