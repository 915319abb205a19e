/**
 * The same work written by hand, as a careful service does it: with `pg` or `mysql2` and `ioredis`, alone and inside a
 * lock of `redlock` or `redis-semaphore`.
 */
import { Redis } from 'ioredis';
import { createPool, type ResultSetHeader } from 'mysql2/promise';
import pg from 'pg';
import { RedlockMutex } from 'redis-semaphore';
import Redlock from 'redlock';
import { DATABASE_CONNECTIONS, type Contender, type Servers } from './contender.ts';
import { updateStatement, type Table } from './tables.ts';

const LOCK_TTL_MS = 8_000;
/**
 * Waits as long as it takes, as a service does that must not lose the write. Of all settings that were tried, this one
 * had the highest rate on a hot key (bench/README.md lists them).
 */
const LOCK_RETRY = { retryCount: -1, retryDelay: 50, retryJitter: 50 };
/** `redis-semaphore` cannot wait without an end. */
const SEMAPHORE_WAIT_MS = 60_000;

/** `UPDATE`, then `DEL`. */
export function openBare(servers: Servers): Contender {
  const pair = openPair(servers, 'bench_bare');
  return { write: (_caller, key, value) => pair.updateAndDelete(key, value), close: pair.close };
}

/** Redlock over the three nodes, `UPDATE`, `DEL`, release. */
export function openRedlock(servers: Servers): Contender {
  const pair = openPair(servers, 'bench_redlock');
  const nodes = servers.lockUrls.map((url) => new Redis(url, { enableAutoPipelining: true }));
  const redlock = new Redlock(nodes, LOCK_RETRY);
  return {
    write: async (_caller, key, value) => {
      const lock = await redlock.acquire([`bench:lock:${key}`], LOCK_TTL_MS);
      try {
        await pair.updateAndDelete(key, value);
      } finally {
        await lock.release();
      }
    },
    close: async () => {
      await redlock.quit();
      await pair.close();
    },
  };
}

/** The same with the mutex of `redis-semaphore` on the three nodes; the pause between attempts is the library's default. */
export function openRedisSemaphore(servers: Servers): Contender {
  const pair = openPair(servers, 'bench_redis_semaphore');
  const nodes = servers.lockUrls.map((url) => new Redis(url, { enableAutoPipelining: true }));
  const times = { lockTimeout: LOCK_TTL_MS, acquireTimeout: SEMAPHORE_WAIT_MS };
  return {
    write: async (_caller, key, value) => {
      const mutex = new RedlockMutex(nodes, `bench:${key}`, times);
      await mutex.acquire();
      try {
        await pair.updateAndDelete(key, value);
      } finally {
        await mutex.release();
      }
    },
    close: async () => {
      await Promise.all(nodes.map((node) => node.quit()));
      await pair.close();
    },
  };
}

function openPair(servers: Servers, table: Table) {
  const database = openByHand(servers, table);
  const redis = new Redis(servers.cacheUrl, { enableAutoPipelining: true });
  return {
    updateAndDelete: async (key: number, value: number): Promise<void> => {
      if ((await database.update(key, value)) !== 1) throw new Error(`${table} has no row ${key}`);
      await redis.del(`${table}:${key}`);
    },
    close: async (): Promise<void> => {
      await Promise.all([database.close(), redis.quit()]);
    },
  };
}

/** `UPDATE` of one row, by the driver itself. */
export function openByHand(servers: Servers, table: Table): ByHand {
  return servers.client === 'pg' ? openPg(servers, table) : openMysql(servers, table);
}

export interface ByHand {
  /** @returns how many rows it has changed */
  update(key: number, value: number): Promise<number | null>;
  close(): Promise<void>;
}

function openPg({ databaseUrl }: Servers, table: Table): ByHand {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: DATABASE_CONNECTIONS });
  const statement = { name: table, text: updateStatement(table, 'pg') };
  return {
    update: async (key, value) =>
      (await pool.query({ ...statement, values: [value, key] })).rowCount,
    close: () => pool.end(),
  };
}

function openMysql({ databaseUrl }: Servers, table: Table): ByHand {
  const pool = createPool({ uri: databaseUrl, connectionLimit: DATABASE_CONNECTIONS });
  const text = updateStatement(table, 'mysql2');
  return {
    update: async (key, value) => {
      const [{ affectedRows }] = await pool.execute<ResultSetHeader>(text, [value, key]);
      return affectedRows;
    },
    close: () => pool.end(),
  };
}
