import type { Row } from '@lockstep/shared';
import {
  keyFromRow,
  LockstepError,
  type Key,
  type Resource,
  rowsName,
} from '../../domain/index.ts';
import type { Connections, Session } from '../connections/connections.ts';
import { type RawValue, type SentSql, sendSql } from '../connections/driver.ts';
import { readOnly } from '../connections/read-only.ts';
import { decodeRow } from '../values/row-text.ts';
import type { CompiledSql } from '../statements/sql-text.ts';
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
  /**
   * The rows of these keys in their order, null where there is none; one statement each. It asks for nothing of
   * Lockstep's own, so that it works on a database in which that is not set up.
   * @throws LockstepError `DATABASE_UNAVAILABLE`
   */
  readPlain(resource: Resource, keys: readonly Key[]): Promise<(Row | null)[]>;
}

/** What `lockstep_keys` has of a key: its version, and what identifies the row that Lockstep's last write left. */
export interface StoredVersion {
  version: number;
  left: RawValue;
}

const NEVER_WRITTEN: StoredVersion = { version: 0, left: null };

/** How a dialect reads a table whole. */
export interface TableDialect {
  /** What begins a snapshot; it ends with a rollback. */
  readonly beginSnapshot: readonly string[];
  /** The rows, at most `:limit`. */
  readTable(resource: Resource): CompiledSql;
  /** The row of one key, and nothing else. */
  readPlain(resource: Resource): (key: Key) => SentSql;
  /** The rows of `lockstep_keys` of one resource's keys. */
  readonly readVersions: CompiledSql;
  /** Where the row's values begin in what `readTable` answers. */
  readonly rowAt: number;
  /** The row's tag, from what `readTable` answered of it. */
  tagOf(resource: Resource, stored: StoredVersion, values: readonly RawValue[]): string | undefined;
}

/** Keys that one statement names. */
const KEY_BATCH = 5_000;

export function createTableReader(connections: Connections, dialect: TableDialect): TableReader {
  return {
    async readPlain(resource, keys) {
      const sqlOf = dialect.readPlain(resource);
      try {
        return await connections.use(async (session) => {
          const rows: (Row | null)[] = [];
          for (const key of keys) {
            const [values] = (await session.run(sqlOf(key))).rows;
            rows.push(values === undefined ? null : plainRow(key, values));
          }
          return rows;
        });
      } catch (error) {
        throw error instanceof LockstepError ? error : toDatabaseError(error, 'read');
      }
    },

    async readAll(resource, maxRows) {
      try {
        return await connections.use((session) =>
          readOnly(session, dialect.beginSnapshot, () =>
            readWhole(session, dialect, resource, maxRows),
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
  dialect: TableDialect,
  resource: Resource,
  maxRows: number,
): Promise<KeyedRow[]> {
  const { rows } = await session.run(sendSql(dialect.readTable(resource), { limit: maxRows + 1 }));
  if (rows.length > maxRows) {
    const text = `The table ${resource.table} has more than ${maxRows} rows (refresh.maxRows).`;
    throw new LockstepError('TOO_LARGE', text);
  }
  const keyed = rows.flatMap((values) => keyedRow(resource, values, dialect.rowAt) ?? []);
  const stored = new Map<string, StoredVersion>();
  for (let at = 0; at < keyed.length; at += KEY_BATCH) {
    const keys = keyed.slice(at, at + KEY_BATCH).map(({ key }) => key.rowText);
    const bindings = { resource: rowsName(resource), keys };
    const known = await session.run(sendSql(dialect.readVersions, bindings));
    for (const [key, version, , left = null] of known.rows)
      stored.set(String(key), { version: Number(version), left });
  }
  return keyed.map(({ key, row, values }) => {
    const { version, left } = stored.get(key.rowText) ?? NEVER_WRITTEN;
    const tag = dialect.tagOf(resource, { version, left }, values);
    return { key, row, version, ...(tag === undefined ? {} : { tag }) };
  });
}

/** Null where the database takes another spelling of the key for the same one. */
function plainRow(key: Key, values: readonly RawValue[]): Row | null {
  const row = decodeRow(key.resource.columns, values, 0);
  return keyFromRow(key.resource, row)?.text === key.text ? row : null;
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
