import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { startMysql, startPostgres, startRedis, type TestServer } from '@lockstep/testkit/servers';
import { PATIENT_CACHE, SHOP_RESOURCES, SHOP_SQL, SHORT_LOCKS, type SqlClient } from './shop.ts';

/** Servers that Lockstep did not start: a database with the shop's tables, a cache, three lock nodes. */
export interface ExternalServers {
  config: object;
  /** With an administrator's rights. */
  behind: { databaseUrl: string; cacheUrl: string; lockUrls: string[] };
  /** As `config.database` says it. */
  connection: string;
  database: TestServer;
  cache: TestServer;
  stop(): Promise<void>;
}

export async function startExternalServers(client: SqlClient): Promise<ExternalServers> {
  const starts = [
    client === 'pg' ? startPostgres() : startMysql(),
    startRedis({ password: 'cache-password' }),
  ];
  const lockStarts = [startRedis(), startRedis(), startRedis()];
  const settled = await Promise.allSettled([...starts, ...lockStarts]);
  const servers = settled.flatMap((result) =>
    result.status === 'fulfilled' ? [result.value] : [],
  );
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const [database, cache, ...locks] = servers as [TestServer, TestServer, ...TestServer[]];
    const connection =
      client === 'pg' ? await preparePg(database.url) : await prepareMysql(database.url);
    return {
      config: {
        // No load balancer asks: tests need not wait for one.
        listen: { drainDelay: '200ms' },
        database: { client, connection, pool: { min: 0, max: 10 } },
        cache: { url: cache.url, ...PATIENT_CACHE },
        locks: { nodes: locks.map((lock) => lock.url), ...SHORT_LOCKS },
        resources: SHOP_RESOURCES,
      },
      behind: {
        databaseUrl: connection,
        cacheUrl: cache.url,
        lockUrls: locks.map(({ url }) => url),
      },
      connection,
      database,
      cache,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function preparePg(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(SHOP_SQL.pg);
  } finally {
    await client.end();
  }
  return url;
}

async function prepareMysql(url: string): Promise<string> {
  const shop = new URL(url);
  shop.pathname = '/shop';
  const connection = await createConnection({ uri: url, multipleStatements: true });
  try {
    // A case-insensitive default, as most servers have: keys must keep apart all the same.
    await connection.query('CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;');
    await connection.query(SHOP_SQL.mysql2);
  } finally {
    await connection.end();
  }
  return shop.href;
}
