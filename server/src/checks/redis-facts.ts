import type { Redis } from 'ioredis';
import {
  findMaster,
  isSentinelUrl,
  openRedis,
  parseSentinelUrl,
  serverOfSet,
} from '../redis/index.ts';

/** What a Redis server reports about itself. */
export interface RedisFacts {
  version: string;
  /** New with every start of the server's process. Two connections with the same id lead to the same server. */
  runId: string;
  /** The database that the URL names. */
  databaseNumber: number;
  isMaster: boolean;
  isCluster: boolean;
  isSentinel: boolean;
  maxmemoryPolicy: string;
  /** In bytes; 0: no limit. */
  maxmemory: number;
  usedMemory: number;
  /** Whether it logs each command to disk. */
  hasAppendOnlyFile: boolean;
  replicas: number;
}

/** A Redis server that answers, with everything that a check needs. */
export interface RedisUnderCheck {
  /** The configuration's field that names it. */
  path: string;
  role: 'cache' | 'lock node';
  /** Whether any resource is `strict`. */
  hasStrict: boolean;
  /** Whether any resource is of level `local`. */
  hasLocal: boolean;
  /** `cache.waitReplicas` */
  waitReplicas: number;
  /** The prefixes of the resources' cache keys. */
  keyPrefixes: readonly string[];
  facts: RedisFacts;
  client: Redis;
}

const TIMEOUT_MS = 2000;

/**
 * Runs `look` with a connection to a server, or to the present master of a set of Sentinels, which is closed afterwards.
 * @throws the driver's error if the server does not answer in time or refuses
 * @throws NoMaster if the Sentinels name none
 */
export async function lookAtRedis<T>(
  url: string,
  look: (client: Redis, facts: RedisFacts) => Promise<T>,
): Promise<T> {
  // A Sentinel has no numbered databases. It would refuse the number before it can report what it is.
  const { server, number } = withoutNumber(await singleServer(url));
  const client = openRedis(server, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // If the server is loading its data, the first command reports that too.
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

/** The URL of one server. @throws NoMaster */
export async function singleServer(url: string): Promise<string> {
  if (!isSentinelUrl(url)) return url;
  const set = parseSentinelUrl(url);
  return serverOfSet((await findMaster(set, TIMEOUT_MS)).master, set);
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
    maxmemory: Number(info.get('maxmemory') ?? 0),
    usedMemory: Number(info.get('used_memory') ?? 0),
    hasAppendOnlyFile: info.get('aof_enabled') === '1',
    replicas: Number(info.get('connected_slaves') ?? 0),
  };
}

function withoutNumber(text: string): { server: string; number: number } {
  const url = new URL(text);
  const number = Number(url.pathname.slice(1)) || Number(url.searchParams.get('db') ?? 0) || 0;
  url.pathname = '';
  url.searchParams.delete('db');
  return { server: url.href, number };
}
