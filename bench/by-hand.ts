/** The same work written by hand, as a careful service does it: with `pg` and `ioredis`, alone and inside `redlock`. */
import { Redis } from 'ioredis';
import pg from 'pg';
import Redlock from 'redlock';
import { DATABASE_CONNECTIONS, type Contender, type Servers } from './contender.ts';
import { updateStatement, type Table } from './tables.ts';

const LOCK_TTL_MS = 8_000;
/**
 * Waits as long as it takes, as a service does that must not lose the write. Of all settings that were tried, this one
 * had the highest rate on a hot key (bench/README.md lists them).
 */
const LOCK_RETRY = { retryCount: -1, retryDelay: 50, retryJitter: 50 };

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

function openPair(servers: Servers, table: Table) {
  const pool = new pg.Pool({ connectionString: servers.databaseUrl, max: DATABASE_CONNECTIONS });
  const redis = new Redis(servers.cacheUrl, { enableAutoPipelining: true });
  const statement = { name: table, text: updateStatement(table) };
  return {
    updateAndDelete: async (key: number, value: number): Promise<void> => {
      const { rowCount } = await pool.query({ ...statement, values: [value, key] });
      if (rowCount !== 1) throw new Error(`${table} has no row ${key}`);
      await redis.del(`${table}:${key}`);
    },
    close: async (): Promise<void> => {
      await Promise.all([pool.end(), redis.quit()]);
    },
  };
}
