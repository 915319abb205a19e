/**
 * Cache-aside as services write it by hand, in the three forms that are compared. Readers are the same in all of them:
 * `GET`; on a miss `SELECT`, then `SET … EX`. Writers
 *   cache-aside     UPDATE, DEL
 *   double-delete   the same, and DEL once more after a delay, for readers that filled in between
 *   redlock         the same as cache-aside, between acquire and release of a lock on three nodes
 *
 * A cache that fails does not fail the call: a read goes to the database, and a deletion that failed is let go, because
 * the row is committed and the caller must hear that it is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import Redlock, { type Lock } from 'redlock';
import { DATABASE_CONNECTIONS } from '../../contender.ts';
import {
  CACHE_TIMEOUT_MS,
  FailedCall,
  LOCK_TTL_MS,
  VALUE_TTL_S,
  type Reading,
} from '../contender.ts';
import { eventually } from '../../../e2e/support/poll.ts';
import type { ServiceOptions } from './protocol.ts';

/** How long after the write the second deletion comes: what articles on this pattern advise. */
const SECOND_DELETE_MS = 500;
const DATABASE_TIMEOUT_MS = 3_000;
const OPEN_TIMEOUT_MS = 20_000;
/**
 * The library's own retries keep the nodes that an attempt won until their locks expire, so services in several
 * processes block one another; and it retries the release of a lock that has expired, without end. So each attempt is
 * one call here, which gives back what it won.
 */
const LOCK_ONCE = { retryCount: 0 };
const LOCK_RETRY_MS = { min: 20, max: 80 };
/** Lockstep's default. */
const LOCK_WAIT_MS = 5_000;

interface CachedRow {
  n: number;
  counter: number;
}

export class CacheAside {
  readonly #table: string;
  readonly #withLock: boolean;
  readonly #withSecondDelete: boolean;
  readonly #pool: pg.Pool;
  readonly #cache: Redis;
  readonly #redlock: Redlock;
  readonly #secondDeletes = new Set<Promise<void>>();

  constructor({ name, table, databaseUrl, cacheUrl, lockUrls }: ServiceOptions) {
    this.#table = table;
    this.#withLock = name === 'redlock';
    this.#withSecondDelete = name === 'double-delete';
    this.#pool = new pg.Pool({
      connectionString: databaseUrl,
      max: DATABASE_CONNECTIONS,
      connectionTimeoutMillis: DATABASE_TIMEOUT_MS,
      query_timeout: DATABASE_TIMEOUT_MS,
    });
    this.#pool.on('error', () => undefined); // an idle connection broke; the pool opens another
    this.#cache = new Redis(cacheUrl, {
      enableAutoPipelining: true,
      commandTimeout: CACHE_TIMEOUT_MS,
      retryStrategy: () => 50,
    });
    this.#cache.on('error', () => undefined); // it reconnects; each command's own failure tells
    this.#redlock = new Redlock(
      lockUrls.map((url) => new Redis(url, { enableAutoPipelining: true })),
      LOCK_ONCE,
    );
    this.#redlock.on('error', () => undefined); // every attempt that finds the lock taken
  }

  /** Resolves when both servers answer; a fault may be on the way to them. */
  open(): Promise<void> {
    return eventually(
      async () => {
        await this.#pool.query('SELECT 1');
        await this.#cache.ping();
      },
      { withinMs: OPEN_TIMEOUT_MS },
    );
  }

  async read(key: number): Promise<Reading> {
    const { row, fromDatabase } = await this.#row(key);
    return { n: row.n, fromDatabase };
  }

  write(key: number, value: number): Promise<number> {
    return this.#locked(key, () => this.#updateAndDelete(key, 'value', value));
  }

  readThenWrite(key: number): Promise<number> {
    return this.#locked(key, async () => {
      const { row } = await this.#row(key);
      return this.#updateAndDelete(key, 'counter', row.counter + 1);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#secondDeletes);
    this.#cache.disconnect();
    await Promise.all([this.#pool.end(), this.#redlock.quit()]);
  }

  async #row(key: number): Promise<{ row: CachedRow; fromDatabase: boolean }> {
    const cached = await this.#cache.get(this.#cacheKey(key)).catch(() => null);
    if (cached !== null) return { row: JSON.parse(cached) as CachedRow, fromDatabase: false };
    const { rows } = await this.#query<CachedRow>(
      'read',
      `SELECT * FROM ${this.#table} WHERE id = $1`,
      [key],
    );
    const row = only(rows);
    await this.#cache
      .set(this.#cacheKey(key), JSON.stringify(row), 'EX', VALUE_TTL_S)
      .catch(() => undefined);
    return { row, fromDatabase: true };
  }

  async #updateAndDelete(key: number, column: 'value' | 'counter', value: number): Promise<number> {
    const sql = `UPDATE ${this.#table} SET ${column} = $1, n = n + 1 WHERE id = $2 RETURNING n`;
    const { rows } = await this.#query<{ n: number }>(column, sql, [value, key]);
    const { n } = only(rows);
    await this.#delete(key);
    if (this.#withSecondDelete) this.#deleteLater(key);
    return n;
  }

  async #delete(key: number): Promise<void> {
    await this.#cache.del(this.#cacheKey(key)).catch(() => undefined);
  }

  #deleteLater(key: number): void {
    const deletion = new Promise<void>((resolve) => {
      setTimeout(() => void this.#delete(key).then(resolve), SECOND_DELETE_MS);
    });
    this.#secondDeletes.add(deletion);
    void deletion.then(() => this.#secondDeletes.delete(deletion));
  }

  async #locked<T>(key: number, work: () => Promise<T>): Promise<T> {
    if (!this.#withLock) return work();
    const lock = await this.#acquire(`${this.#table}:lock:${key}`);
    try {
      return await work();
    } finally {
      await lock.release().catch(() => undefined); // it has expired: nobody is kept out by it
    }
  }

  async #acquire(name: string): Promise<Lock> {
    const deadlineMs = performance.now() + LOCK_WAIT_MS;
    for (;;) {
      try {
        return await this.#redlock.acquire([name], LOCK_TTL_MS);
      } catch (cause) {
        if (performance.now() > deadlineMs) throw new FailedCall('LOCK_TIMEOUT', '', { cause });
      }
      const { min, max } = LOCK_RETRY_MS;
      await sleep(min + (max - min) * Math.random());
    }
  }

  async #query<Row extends pg.QueryResultRow>(
    name: string,
    text: string,
    values: number[],
  ): Promise<pg.QueryResult<Row>> {
    try {
      return await this.#pool.query<Row>({ name: `${this.#table}_${name}`, text, values });
    } catch (cause) {
      throw new FailedCall('DATABASE', String(cause), { cause });
    }
  }

  #cacheKey(key: number): string {
    return `${this.#table}:${key}`;
  }
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new FailedCall('NOT_FOUND');
  return row;
}
