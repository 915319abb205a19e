/** Two ways to carry out the requests of a mix, so that no reader sees an old value once a write was answered. */
import { createClient, LockstepError } from '@lockstep/client';
import { Redis } from 'ioredis';
import pg from 'pg';
import Redlock from 'redlock';
import type { Instance } from '@lockstep/testkit/instances/instance';

export interface Contender {
  read(key: number): Promise<void>;
  write(key: number, body: string): Promise<void>;
  /** Adds 1 to the row's count; where there is no row, nothing. */
  increment(key: number): Promise<void>;
  delete(key: number): Promise<void>;
  close(): Promise<void>;
}

const CONNECTIONS = 16;
const CACHE_TTL_S = 600;
const LOCK_TTL_MS = 8_000;
/** As in `bench/by-hand.ts`. */
const LOCK_RETRY = { retryCount: -1, retryDelay: 50, retryJitter: 50 };

/** By the client, of the policy `strict`. */
export function openStrict({ runtime }: Instance): Contender {
  const client = createClient({
    ...{ url: runtime.url, token: runtime.serviceToken, redis: runtime.cacheUrl },
    ...{ idempotencyKeys: false, timeoutMs: 60_000 },
  });
  return {
    read: async (key) => void (await client.get('item', key)),
    write: async (key, body) => void (await client.put('item', key, { body, count: 0 })),
    increment: (key) => orNoRow(client.patch('item', key, { $inc: { count: 1 } })),
    delete: (key) => orNoRow(client.delete('item', key)),
    close: () => client.close(),
  };
}

/** The mix writes and deletes at random, so that a row may not be there. */
async function orNoRow(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'NOT_FOUND') throw error;
  }
}

/**
 * By hand, as a careful service does it: reads by cache-aside, and each write under a Redlock over three nodes, with the
 * new value put into the cache before the lock is released.
 */
export function openRedlock({ runtime }: Instance): Contender {
  const pool = new pg.Pool({ connectionString: runtime.databaseUrl, max: CONNECTIONS });
  const cache = new Redis(runtime.cacheUrl, { enableAutoPipelining: true });
  const nodes = runtime.lockUrls.map((url) => new Redis(url, { enableAutoPipelining: true }));
  const redlock = new Redlock(nodes, LOCK_RETRY);
  const entryOf = (key: number): string => `by-hand:${key}`;
  const run = async (name: keyof typeof STATEMENTS, values: unknown[]): Promise<object | null> => {
    const text = STATEMENTS[name];
    return (await pool.query<object>({ name, text, values })).rows[0] ?? null;
  };
  const locked = async (
    name: Exclude<keyof typeof STATEMENTS, 'read'>,
    key: number,
    more: unknown[] = [],
  ) => {
    const lock = await redlock.acquire([`by-hand:lock:${key}`], LOCK_TTL_MS);
    try {
      const row = await run(name, [key, ...more]);
      if (row === null) await cache.del(entryOf(key));
      else await cache.set(entryOf(key), JSON.stringify(row), 'EX', CACHE_TTL_S);
    } finally {
      await lock.release();
    }
  };
  return {
    read: async (key) => {
      const cached = await cache.get(entryOf(key));
      if (cached !== null) {
        JSON.parse(cached);
        return;
      }
      // The absence of a row is kept too, as Lockstep does it.
      const row = await run('read', [key]);
      await cache.set(entryOf(key), JSON.stringify(row), 'EX', CACHE_TTL_S);
    },
    write: (key, body) => locked('write', key, [body]),
    increment: (key) => locked('increment', key),
    delete: (key) => locked('delete', key),
    close: async () => {
      await redlock.quit();
      await Promise.all([pool.end(), cache.quit()]);
    },
  };
}

const STATEMENTS = {
  read: 'select id, body, count from by_hand where id = $1',
  write: `
    insert into by_hand (id, body, count) values ($1, $2, 0)
    on conflict (id) do update set body = excluded.body, count = 0
    returning id, body, count`,
  increment: 'update by_hand set count = count + 1 where id = $1 returning id, body, count',
  delete: 'delete from by_hand where id = $1',
} as const;
