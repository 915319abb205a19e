import { Cluster, Redis } from 'ioredis';
import { createAdapter } from '@socket.io/redis-adapter';
import { clusterArguments, isClusterUrl, openRedis, type RedisClient } from '../redis/index.ts';
import type { Log } from '../runtime/index.ts';

const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
const RETRY_INTERVAL_MS = 1_000;

/** The cache's publish and subscribe, through which the coordinators hear of one another. */
export interface LiveClients {
  /** For `Server.adapter`. */
  adapter: ReturnType<typeof createAdapter>;
  /** Whether both directions are open now. */
  connected(): boolean;
  close(): void;
}

/**
 * Connects to the cache. Never rejects and never waits: while the cache is away, messages are dropped, and each instance
 * shows only itself.
 * @param channel prefix of the channels; clusters that share one Redis need one each
 * @param lead is called with each client, so that the client leaves a master that was replaced
 */
export function connectLiveClients(
  url: string,
  channel: string,
  { log, lead }: { log: Log; lead: (client: Redis) => void },
): LiveClients {
  const [publisher, subscriber] = isClusterUrl(url) ? clustersAt(url) : serversAt(url, lead);
  for (const client of [publisher, subscriber]) {
    client.on('error', (error: Error) =>
      log.debug({ err: error }, 'live stream: cache connection'),
    );
  }
  return {
    adapter: createAdapter(publisher, subscriber, { key: channel }),
    connected: () => publisher.status === 'ready' && subscriber.status === 'ready',
    close: () => {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}

type LivePair = [publisher: RedisClient, subscriber: RedisClient];

function serversAt(url: string, lead: (client: Redis) => void): LivePair {
  const options = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (): number => RETRY_INTERVAL_MS,
    autoResendUnfulfilledCommands: false,
  };
  const publisher = openRedis(
    url,
    {
      ...options,
      commandTimeout: COMMAND_TIMEOUT_MS,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    },
    DroppingRedis,
  );
  // Subscriptions wait for the connection, and come back by themselves with it.
  const subscriber = openRedis(url, { ...options, maxRetriesPerRequest: null }, DroppingRedis);
  for (const client of [publisher, subscriber]) lead(client);
  return [publisher, subscriber];
}

/** A Cluster hands every message on to all of its members. */
function clustersAt(url: string): LivePair {
  const settings = {
    members: { connectTimeout: CONNECT_TIMEOUT_MS, autoResendUnfulfilledCommands: false },
    retryMs: RETRY_INTERVAL_MS,
  };
  const quick = { ...settings.members, commandTimeout: COMMAND_TIMEOUT_MS };
  const publisher = new DroppingCluster(...clusterArguments(url, { ...settings, members: quick }));
  // Subscriptions wait for the connection.
  const subscriber = new DroppingCluster(
    ...clusterArguments(url, { ...settings, enableOfflineQueue: true }),
  );
  return [publisher, subscriber];
}

/** The adapter ignores the results of its commands, so a failed one must not become an unhandled rejection. */
class DroppingRedis extends Redis {
  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const answer = super.sendCommand(...args);
    if (answer instanceof Promise) answer.catch(() => undefined);
    return answer;
  }
}

class DroppingCluster extends Cluster {
  override sendCommand(...args: Parameters<Cluster['sendCommand']>): unknown {
    const answer = super.sendCommand(...args);
    if (answer instanceof Promise) answer.catch(() => undefined);
    return answer;
  }
}
