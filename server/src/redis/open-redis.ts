import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { redisTls } from '../tls/index.ts';
import { followSlots } from './cluster-nodes.ts';
import { parseClusterUrl } from './cluster-url.ts';
import { parseSentinelUrl, isSentinelUrl } from './server-url.ts';

const RETRY_MS = 250;
/** How soon a member that took over slots is noticed where no command was sent to the old one. */
const SLOTS_REFRESH_MS = 1_000;

/** A class of clients: ioredis' own, or one that is built on it. */
interface ClientClass {
  new (options: RedisOptions): Redis;
  new (url: string, options: RedisOptions): Redis;
}

/**
 * A client of the server at `url`, or of the present master of a set of Sentinels. The only place of the server that
 * makes one. The master is looked for again at every reconnect, for as long as it takes.
 */
export function openRedis(
  url: string,
  options: RedisOptions = {},
  Client: ClientClass = Redis,
): Redis {
  if (isSentinelUrl(url)) return new Client({ ...ofSentinels(url, options), ...options });
  const { url: address, options: tls } = redisTls(url);
  return new Client(address, { ...tls, ...options });
}

/** What can be said of the connections to all members of a Cluster. */
export interface MemberOptions extends Pick<
  RedisOptions,
  'commandTimeout' | 'autoResendUnfulfilledCommands' | 'maxRetriesPerRequest' | 'enableReadyCheck'
> {
  connectTimeout: number;
}

export interface ClusterSettings {
  /** Of each member's connection. */
  members: MemberOptions;
  /** The pause before all is tried again where no member answers; null: it is not. */
  retryMs: number | null;
  lazyConnect?: boolean;
  /** Whether commands wait for the first connection. Default false. */
  enableOfflineQueue?: boolean;
}

/**
 * A client of the Redis Cluster at `url`. It sends a command again only where a member has answered that it is not for
 * it (`MOVED`, `ASK`, `TRYAGAIN`), and reads from masters alone.
 */
export function openCluster(url: string, settings: ClusterSettings): Cluster {
  const cluster = new Cluster(...clusterArguments(url, settings));
  followSlots(cluster);
  return cluster;
}

/** The same, for a class of clients that is built on ioredis' own. */
export function clusterArguments(url: string, settings: ClusterSettings) {
  const { members, username, password } = parseClusterUrl(url);
  const { members: ofMembers, retryMs, ...rest } = settings;
  const nodes = members.map(({ host, port }) => ({ host: withoutBrackets(host), port }));
  const options = {
    enableOfflineQueue: false,
    // A Cluster that serves a part of its keys is better than none; replies tell of the others. Where the check failed,
    // `connect` would never be answered.
    enableReadyCheck: false,
    ...rest,
    redisOptions: {
      ...ofMembers,
      ...(username === null ? {} : { username }),
      ...(password === null ? {} : { password }),
    },
    clusterRetryStrategy: (): number | null => retryMs,
    scaleReads: 'master' as const,
    // What could not be sent, or was not answered, may have been done or not: the caller decides.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: ofMembers.connectTimeout,
  };
  const both: [typeof nodes, typeof options] = [nodes, options];
  return both;
}

function ofSentinels(url: string, { connectTimeout }: RedisOptions): RedisOptions {
  const { sentinels, ofSentinels, name, username, password, databaseNumber } =
    parseSentinelUrl(url);
  return {
    sentinels: sentinels.map(({ host, port }) => ({ host: withoutBrackets(host), port })),
    name,
    role: 'master',
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(ofSentinels.username === null ? {} : { sentinelUsername: ofSentinels.username }),
    ...(ofSentinels.password === null ? {} : { sentinelPassword: ofSentinels.password }),
    db: databaseNumber,
    sentinelRetryStrategy: () => RETRY_MS,
    ...(connectTimeout === undefined ? {} : { sentinelCommandTimeout: connectTimeout }),
    // Only Sentinels of the configuration get credentials.
    updateSentinels: false,
    // It ends a client for good if it closes a connection that is being opened. `MasterWatch` does its work.
    failoverDetector: false,
  };
}

/** Node connects to `::1`, not to `[::1]`. */
export const withoutBrackets = (host: string): string => host.replace(/^\[|\]$/g, '');
