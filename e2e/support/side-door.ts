import { Cluster, Redis } from 'ioredis';
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { decodeEntry, type CorruptEntry, type Entry } from '@lockstep/shared';
import type { RuntimeFile } from '@lockstep/testkit/instances/runtime-file';

/** Rows as text, so that both databases answer alike; null stays null. */
export type TextRow = Record<string, string | null>;

/** The servers of an instance, seen and changed behind its back. */
export interface SideDoor {
  /** Runs one statement; placeholders are `?` in both dialects. */
  sql(statement: string, bindings?: readonly unknown[]): Promise<TextRow[]>;
  cache: Redis | Cluster;
  lockNodes: Redis[];
  /** The decoded entry; null where there is none. */
  entry(cacheKey: string): Promise<Entry | CorruptEntry | null>;
  close(): Promise<void>;
}

/** How long a statement waits for a connection. */
const CONNECT_MS = 20_000;

/** Opens the side door of a running instance; connects when first used and again after an outage. */
export function openSideDoor(runtime: RuntimeFile): SideDoor {
  const database = runtime.databaseUrl.startsWith('postgres')
    ? openPg(runtime)
    : openMysql(runtime);
  const inFlight = new Set<Promise<TextRow[]>>();
  const cache = openCache(runtime.cacheUrl);
  const lockNodes = runtime.lockUrls.map(openRedis);
  return {
    sql: async (statement, bindings) => {
      const running = database.sql(statement, bindings);
      inFlight.add(running);
      try {
        return await running;
      } finally {
        inFlight.delete(running);
      }
    },
    cache,
    lockNodes,
    entry: async (cacheKey) => {
      const text = await cache.get(cacheKey);
      return text === null ? null : decodeEntry(text);
    },
    close: async () => {
      for (const redis of [cache, ...lockNodes]) redis.disconnect();
      // A pool that ends forgets the statements that wait for a connection: they would never be answered.
      while (inFlight.size > 0) await Promise.allSettled(inFlight);
      await database.close();
    },
  };
}

/** The cache where it is one server. */
export function oneServer(cache: SideDoor['cache']): Redis {
  if (cache instanceof Cluster) throw new Error('A Redis Cluster is not one server.');
  return cache;
}

const CLUSTER_SCHEME = 'redis+cluster://';

function openCache(url: string): Redis | Cluster {
  if (!url.startsWith(CLUSTER_SCHEME)) return openRedis(url);
  const members = url.slice(CLUSTER_SCHEME.length).split(',');
  const cluster = new Cluster(members.map((member) => `redis://${member}`));
  cluster.on('error', () => undefined);
  return cluster;
}

function openRedis(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 100, maxRetriesPerRequest: 100 });
  redis.on('error', () => undefined); // the command that fails tells
  return redis;
}

function openPg(runtime: RuntimeFile): Pick<SideDoor, 'sql' | 'close'> {
  const pool = new pg.Pool({
    connectionString: runtime.databaseUrl,
    connectionTimeoutMillis: CONNECT_MS,
    max: 4,
  });
  pool.on('error', () => undefined); // an idle connection was cut: the pool opens another
  // Rows are compared as text: every type comes as the server spells it.
  const types = { getTypeParser: () => (text: unknown) => text } as unknown as pg.CustomTypesConfig;
  return {
    sql: async (statement, bindings = []) => {
      let position = 0;
      const text = statement.replace(/\?/g, () => `$${++position}`);
      const { rows } = await pool.query<TextRow>({ text, values: [...bindings], types });
      return rows;
    },
    close: () => pool.end(),
  };
}

function openMysql(runtime: RuntimeFile): Pick<SideDoor, 'sql' | 'close'> {
  const pool = createPool({
    uri: runtime.databaseUrl,
    connectionLimit: 4,
    connectTimeout: CONNECT_MS,
    timezone: 'Z',
    dateStrings: true,
  });
  return {
    sql: async (statement, bindings = []) => {
      const [rows] = await pool.query(statement, [...bindings]);
      if (!Array.isArray(rows)) return [];
      return (rows as Record<string, unknown>[]).map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, asText(value)])),
      );
    },
    close: () => pool.end(),
  };
}

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('utf8') : JSON.stringify(value);
}
