import { Redis } from 'ioredis';

/** What a Redis server says of itself. */
export interface RedisFacts {
  version: string;
  /** New with every start of the process: two connections that see the same one reached the same server. */
  runId: string;
  isMaster: boolean;
  isCluster: boolean;
  maxmemoryPolicy: string;
}

const TIMEOUT_MS = 2000;

/** Asks a server for `INFO`. @throws Error where it does not answer in time or refuses */
export async function readRedisFacts(url: string): Promise<RedisFacts> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => null,
  });
  let reason: Error | null = null;
  client.on('error', (error: Error) => (reason ??= error));
  try {
    await client.connect();
    const info = parseInfo(await client.info());
    return {
      version: info.get('valkey_version') ?? info.get('redis_version') ?? '0',
      runId: info.get('run_id') ?? '',
      isMaster: info.get('role') === 'master',
      isCluster: info.get('cluster_enabled') === '1',
      maxmemoryPolicy: info.get('maxmemory_policy') ?? 'noeviction',
    };
  } catch (error) {
    // A failed connect only says "Connection is closed."; the event before it says why.
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}
