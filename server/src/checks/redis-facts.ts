import { Redis } from 'ioredis';

/** What a Redis server says of itself. */
export interface RedisFacts {
  version: string;
  /** New with every start of the process: two connections that see the same one reached the same server. */
  runId: string;
  /** The database that the URL names. */
  databaseNumber: number;
  isMaster: boolean;
  isCluster: boolean;
  isSentinel: boolean;
  maxmemoryPolicy: string;
}

/** A server that answers, and what is asked about it. */
export interface RedisUnderCheck {
  /** Where the configuration names it. */
  path: string;
  role: 'cache' | 'lock node';
  /** Whether any resource is `strict`. */
  hasStrict: boolean;
  /** What the cache keys of the resources begin with. */
  keyPrefixes: readonly string[];
  facts: RedisFacts;
  client: Redis;
}

const TIMEOUT_MS = 2000;

/**
 * Looks at a server through one connection, which ends with the look.
 * @throws Error of the driver where the server does not answer in time or refuses
 */
export async function lookAtRedis<T>(
  url: string,
  look: (client: Redis, facts: RedisFacts) => Promise<T>,
): Promise<T> {
  // A Sentinel has no databases: it would refuse the number before it can say what it is.
  const { server, number } = withoutNumber(url);
  const client = new Redis(server, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // The server may be loading its data; that is told by the first command too.
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  let reason: Error | null = null;
  client.on('error', (error: Error) => (reason ??= error));
  try {
    await client.connect();
    const facts = { ...factsOf(await client.info()), databaseNumber: number };
    if (number !== 0 && !facts.isSentinel) await client.select(number);
    return await look(client, facts);
  } catch (error) {
    // A failed connect only says "Connection is closed."; the event before it says why.
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}

function factsOf(text: string): Omit<RedisFacts, 'databaseNumber'> {
  const lines = text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'));
  const info = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
  return {
    version: info.get('valkey_version') ?? info.get('redis_version') ?? '0',
    runId: info.get('run_id') ?? '',
    isMaster: info.get('role') === 'master',
    isCluster: info.get('cluster_enabled') === '1' || info.get('redis_mode') === 'cluster',
    isSentinel: info.get('redis_mode') === 'sentinel',
    maxmemoryPolicy: info.get('maxmemory_policy') ?? 'noeviction',
  };
}

function withoutNumber(text: string): { server: string; number: number } {
  const url = new URL(text);
  const number = Number(url.pathname.slice(1)) || Number(url.searchParams.get('db') ?? 0) || 0;
  url.pathname = '';
  url.searchParams.delete('db');
  return { server: url.href, number };
}
