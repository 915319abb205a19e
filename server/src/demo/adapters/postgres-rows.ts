import pg from 'pg';
import {
  LockstepError,
  tableNameParts,
  type Column,
  type Key,
  type Resource,
} from '../../domain/index.ts';
import type { Log } from '../../runtime/index.ts';
import changeSql from './change-row.sql?raw';
import hasSql from './has-row.sql?raw';

const NUMERIC: readonly Column['type'][] = ['integer', 'bigint', 'decimal', 'float'];

/** Writes to the database as a program would that knows nothing of Lockstep: PostgreSQL, as the demo runs on. */
export class PostgresRows {
  readonly #pool: pg.Pool;

  constructor(url: string, log: Log) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 1,
      idleTimeoutMillis: 10_000,
      connectionTimeoutMillis: 2_000,
      query_timeout: 5_000,
      allowExitOnIdle: true,
    });
    this.#pool.on('error', (error) => log.debug({ err: error }, 'demo: database connection'));
  }

  /** Changes one column of the row. @returns false where there is no such row, or nothing to change */
  async change(key: Key): Promise<boolean> {
    const column = columnToChange(key.resource);
    if (column === null) return false;
    const name = pg.escapeIdentifier(column.name);
    const change = NUMERIC.includes(column.type) ? `${name} + 1` : `${name} || '*'`;
    const sql = fill(changeSql, key.resource, { column: name, change });
    return (await this.#query(sql, key)).rowCount === 1;
  }

  async has(key: Key): Promise<boolean> {
    const { rows } = await this.#query(fill(hasSql, key.resource, {}), key);
    return rows[0]?.there === true;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #query(sql: string, key: Key): Promise<pg.QueryResult<{ there?: unknown }>> {
    try {
      return await this.#pool.query(sql, [...key.parts]);
    } catch (cause) {
      throw new LockstepError('DATABASE_UNAVAILABLE', 'The database did not take the change.', {
        cause,
      });
    }
  }
}

/** A number that is not part of the key where there is one, else a text; null where neither is. */
export function columnToChange({ columns, keyColumns }: Resource): Column | null {
  const keys = new Set(keyColumns.map(({ name }) => name));
  const free = columns.filter(({ name, generated }) => !keys.has(name) && !generated);
  const isWhole = ({ type }: Column): boolean => type === 'integer' || type === 'bigint';
  return (
    free.find(isWhole) ??
    free.find(({ type }) => NUMERIC.includes(type)) ??
    free.find(({ type }) => type === 'text') ??
    null
  );
}

function fill(sql: string, resource: Resource, parts: Record<string, string>): string {
  const table = tableNameParts(resource.table).map(pg.escapeIdentifier).join('.');
  const key = resource.keyColumns
    .map(({ name }, index) => `${pg.escapeIdentifier(name)} = $${index + 1}`)
    .join(' and ');
  const named: Record<string, string> = { ...parts, table, key };
  return sql.replace(/\{\{(\w+)\}\}/g, (_, name: string) => named[name] ?? '');
}
