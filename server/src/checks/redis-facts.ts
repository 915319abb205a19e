import type { Cluster, Redis } from 'ioredis';
import {
  findMaster,
  isCluster,
  isClusterUrl,
  isSentinelUrl,
  connectedMasters,
  openCluster,
  openRedis,
  parseSentinelUrl,
  type RedisClient,
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
  client: RedisClient;
}

const TIMEOUT_MS = 2000;
/** Each member may be asked in turn. */
const CLUSTER_CONNECT_MS = 10_000;

/**
 * Runs `look` with a connection to a server, to the present master of a set of Sentinels, or to a Redis Cluster (the
 * facts are then those of one of its masters), which is closed afterwards.
 * @throws the driver's error if the server does not answer in time or refuses
 * @throws NoMaster if the Sentinels name none
 */
export async function lookAtRedis<T>(
  url: string,
  look: (client: RedisClient, facts: RedisFacts) => Promise<T>,
): Promise<T> {
  if (isClusterUrl(url)) return lookAtCluster(url, look);
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

async function lookAtCluster<T>(
  url: string,
  look: (client: Cluster, facts: RedisFacts) => Promise<T>,
): Promise<T> {
  const client = openCluster(url, {
    members: {
      ...{ connectTimeout: TIMEOUT_MS, commandTimeout: TIMEOUT_MS, maxRetriesPerRequest: 0 },
      enableReadyCheck: false,
    },
    ...{ lazyConnect: true, retryMs: null },
  });
  let reason: Error | null = null;
  client.on('node error', (error: Error) => (reason ??= error));
  client.on('error', () => undefined); // the members tell why
  try {
    await within(CLUSTER_CONNECT_MS, client.connect()).catch((error: unknown) => {
      throw reason ?? error;
    });
    const facts = { ...factsOf(await infoOfOne(client)), databaseNumber: 0 };
    return await look(client, facts);
  } finally {
    client.disconnect();
  }
}

/** Of the first master that answers. */
async function infoOfOne(cluster: Cluster): Promise<string> {
  let failure: unknown = new Error('No master of the Redis Cluster is connected.');
  for (const master of connectedMasters(cluster)) {
    try {
      return await master.info();
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** The servers that have keys: the one that the client leads to, or the masters of a Cluster that are connected. */
export const serversOf = (client: RedisClient): Redis[] =>
  isCluster(client) ? connectedMasters(client) : [client];

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`There was no answer within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
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
