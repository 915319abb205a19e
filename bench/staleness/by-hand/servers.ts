/**
 * The database and the cache as a hand-written service uses them.
 *
 * A failure of the cache does not fail the call: a read goes to the database, and a failed deletion or `SET` is
 * ignored, because the row is committed and the caller must be told so.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import { DATABASE_CONNECTIONS } from '../../contender.ts';
import { eventually } from '@lockstep/testkit/poll';
import { CACHE_TIMEOUT_MS, FailedCall, VALUE_TTL_S } from '../contender.ts';
import type { ServiceOptions } from './protocol.ts';

const DATABASE_TIMEOUT_MS = 3_000;
const OPEN_TIMEOUT_MS = 20_000;

/** A row, in the database and in the cache. It has more columns. */
export interface CachedRow {
  n: number;
  counter: number;
}

/** What a write sets. It also adds one to `n`. */
export interface Change {
  column: 'value' | 'counter';
  value: number;
}

export class ByHandServers {
  readonly #table: string;
  readonly #pool: pg.Pool;
  /** For reading rows: a replica, or the same database. */
  readonly #readPool: pg.Pool;
  readonly #cache: Redis;

  constructor({ table, databaseUrl, replicaUrl, cacheUrl }: ServiceOptions) {
    this.#table = table;
    this.#pool = openPool(databaseUrl);
    this.#readPool = replicaUrl === undefined ? this.#pool : openPool(replicaUrl);
    this.#cache = new Redis(cacheUrl, {
      enableAutoPipelining: true,
      commandTimeout: CACHE_TIMEOUT_MS,
      retryStrategy: () => 50,
    });
    this.#cache.on('error', () => undefined); // it reconnects; failed commands report errors themselves
  }

  /** Resolves when both servers answer, which a fault may delay. */
  open(): Promise<void> {
    return eventually(
      async () => {
        await this.#pool.query('SELECT 1');
        await this.#readPool.query('SELECT 1');
        await this.#cache.ping();
      },
      { withinMs: OPEN_TIMEOUT_MS },
    );
  }

  async close(): Promise<void> {
    this.#cache.disconnect();
    await this.#pool.end();
    if (this.#readPool !== this.#pool) await this.#readPool.end();
  }

  async select(key: number): Promise<CachedRow> {
    const sql = `SELECT * FROM ${this.#table} WHERE id = $1`;
    return this.#query(this.#readPool, 'read', sql, [key]);
  }

  /** @returns the row after the update */
  async update(key: number, { column, value }: Change): Promise<CachedRow> {
    const sql = `UPDATE ${this.#table} SET ${column} = $1, n = n + 1 WHERE id = $2 RETURNING *`;
    return this.#query(this.#pool, column, sql, [value, key]);
  }

  /** Null on a miss, and if the cache fails. */
  async get(key: number): Promise<CachedRow | null> {
    const cached = await this.#cache.get(this.#cacheKey(key)).catch(() => null);
    return cached === null ? null : (JSON.parse(cached) as CachedRow);
  }

  async set(key: number, row: CachedRow): Promise<void> {
    await this.#cache
      .set(this.#cacheKey(key), JSON.stringify(row), 'EX', VALUE_TTL_S)
      .catch(() => undefined);
  }

  async delete(key: number): Promise<void> {
    await this.#cache.del(this.#cacheKey(key)).catch(() => undefined);
  }

  /** @throws if the cache does not answer */
  async deleteSurely(keys: readonly number[]): Promise<void> {
    await this.#cache.del(...keys.map((key) => this.#cacheKey(key)));
  }

  async #query(pool: pg.Pool, name: string, text: string, values: number[]): Promise<CachedRow> {
    try {
      const { rows } = await pool.query<CachedRow>({
        name: `${this.#table}_${name}`,
        text,
        values,
      });
      return only(rows);
    } catch (cause) {
      if (cause instanceof FailedCall) throw cause;
      throw new FailedCall('DATABASE', String(cause), { cause });
    }
  }

  #cacheKey(key: number): string {
    return `${this.#table}:${key}`;
  }
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: DATABASE_CONNECTIONS,
    connectionTimeoutMillis: DATABASE_TIMEOUT_MS,
    query_timeout: DATABASE_TIMEOUT_MS,
  });
  pool.on('error', () => undefined); // an idle connection broke; the pool opens another
  return pool;
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new FailedCall('NOT_FOUND');
  return row;
}
