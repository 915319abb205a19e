/**
 * The client's own connection to the coordinators' cache.
 *
 * States: connecting -> verifying -> up <-> down -> closed. Entries are read only while it is up.
 *   verifying  the key `lockstep:server` must hold what the coordinator says that its cache holds, and the command that
 *              asks is one that a replica refuses
 *   up -> down the connection closes, `TIMEOUTS_TO_DOWN` commands in a row get no answer, a reply says that the server
 *              is a replica by now, or the coordinators use another cache than before
 *
 * A connection that its caller brings is not used itself: it may send unanswered commands again to another server, or
 * keep them until there is one. The client opens its own with the same address (or Sentinels) and credentials, which
 * does neither.
 */
import { type Cluster, Redis } from 'ioredis';
import { tell } from './events.ts';
import { invalidArgument } from './errors.ts';

const TIMEOUTS_TO_DOWN = 3;
const VERIFY_EVERY_MS = 200;
const SERVER_ID_KEY = 'lockstep:server';

export interface ConnectionOptions {
  redis: Redis | Cluster | string;
  timeoutMs: number;
  /** What the key `lockstep:server` must hold; null while that is not known. */
  serverId: () => string | null;
}

/** What a reader needs of a connection to one server. */
export type RedisClient = Redis | Cluster;

export class RedisConnection {
  readonly client: RedisClient;
  readonly isCluster: boolean;
  readonly #options: ConnectionOptions;
  /** Null: not up. Else the id with which it was verified. */
  #verifiedId: string | null = null;
  #reason: string | null = 'not connected yet';
  #verifying: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #timeoutsInARow = 0;
  #closed = false;

  /** @throws LockstepError `INVALID` where the caller's client reads from replicas */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { redis, timeoutMs } = options;
    this.client = ownClient(redis, timeoutMs);
    this.isCluster = 'nodes' in this.client;
    this.client.on('ready', () => void this.verify());
    this.client.on('close', () => this.#down('the connection is closed'));
    // Its closing tells the same.
    this.client.on('error', () => undefined);
    // With Sentinels, a connection that is closed while it is being opened is not opened again by itself.
    this.client.on('end', () => this.#openLater());
  }

  get isUp(): boolean {
    return this.#verifiedId !== null;
  }

  /** Why it is not up. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Looks whether it is the coordinators' cache, and not a replica of it. Never rejects. */
  verify(): Promise<void> {
    if (this.#closed || this.client.status !== 'ready') return Promise.resolve();
    this.#verifying ??= this.#verify().finally(() => (this.#verifying = null));
    return this.#verifying;
  }

  /** The coordinator has said again which cache it uses. */
  catalogRefreshed(): void {
    if (this.#verifiedId === null || this.#verifiedId !== this.#options.serverId())
      void this.verify();
  }

  /** A command was answered. */
  answered(): void {
    this.#timeoutsInARow = 0;
  }

  /** A command failed. */
  failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message.includes('timed out')) {
      this.#timeoutsInARow += 1;
      if (this.#timeoutsInARow >= TIMEOUTS_TO_DOWN) this.#down('it does not answer');
    } else if (/READONLY/.test(message)) this.#down('it is a replica');
  }

  close(): void {
    this.#closed = true;
    this.#down('it was closed');
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.client.disconnect();
  }

  #openLater(): void {
    if (this.#closed || this.isCluster) return;
    setTimeout(() => {
      if (!this.#closed && this.client.status === 'end')
        this.client.connect().catch(() => undefined);
    }, VERIFY_EVERY_MS).unref();
  }

  async #verify(): Promise<void> {
    const wanted = this.#options.serverId();
    if (wanted === null) {
      this.#down('the coordinator has not said yet which cache it uses');
      return;
    }
    try {
      // A replica refuses GETEX, and a replica of a Cluster sends every command on to its primary.
      const found = this.isCluster
        ? await this.client.get(SERVER_ID_KEY)
        : await this.client.getex(SERVER_ID_KEY);
      if (this.#closed) return;
      if (found === wanted) this.#up(wanted);
      else this.#down('it is not the cache that the coordinators use');
    } catch (error) {
      this.#down(error instanceof Error ? error.message : String(error));
    }
  }

  #up(id: string): void {
    const wasUp = this.isUp;
    this.#verifiedId = id;
    this.#timeoutsInARow = 0;
    this.#reason = null;
    if (!wasUp) tell('lockstep:redis', { state: 'up', reason: null });
  }

  #down(reason: string): void {
    const wasUp = this.isUp;
    this.#verifiedId = null;
    this.#reason = reason;
    if (wasUp) tell('lockstep:redis', { state: 'down', reason });
    if (this.#closed) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.verify(), VERIFY_EVERY_MS);
    this.#retry.unref();
  }
}

/** What every connection to a server of the cache has. */
const serverOptions = (timeoutMs: number) => ({
  commandTimeout: timeoutMs,
  connectTimeout: Math.max(timeoutMs, 1_000),
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  // `verify` is one, and INFO may be forbidden.
  enableReadyCheck: false,
  keyPrefix: '',
});

/** A further connection to the same server, on which commands may wait; null: it is a Cluster. */
export function waitingClient(
  redis: Redis | Cluster | string,
): ((commandTimeoutMs: number) => Redis) | null {
  if (typeof redis !== 'string' && 'nodes' in redis) return null;
  return (commandTimeoutMs) => {
    const client = ownClient(redis, commandTimeoutMs) as Redis;
    // Whoever waits for an answer hears of it.
    client.on('error', () => undefined);
    return client;
  };
}

/** A connection of the client's own. */
function ownClient(redis: Redis | Cluster | string, timeoutMs: number): RedisClient {
  const own = {
    ...serverOptions(timeoutMs),
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    lazyConnect: false,
    retryStrategy: () => VERIFY_EVERY_MS,
    // A server that is a replica by now: its name may lead to another one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
  if (typeof redis === 'string') return new Redis(redis, own);
  if ('nodes' in redis) return ownCluster(redis, timeoutMs);
  const { role, readOnly } = redis.options;
  if (role === 'slave' || readOnly === true)
    throw invalidArgument('redis', 'must not read from replicas (role, readOnly)');
  return redis.duplicate({ ...own, sentinelRetryStrategy: () => VERIFY_EVERY_MS });
}

function ownCluster(cluster: Cluster, timeoutMs: number): Cluster {
  const { scaleReads } = cluster.options;
  if (scaleReads !== undefined && scaleReads !== 'master')
    throw invalidArgument('redis', 'must not read from replicas (scaleReads)');
  return cluster.duplicate([], {
    // Beside those that the caller's has.
    redisOptions: serverOptions(timeoutMs),
    enableOfflineQueue: false,
    scaleReads: 'master',
    enableAutoPipelining: true,
    keyPrefix: '',
    lazyConnect: false,
    clusterRetryStrategy: () => VERIFY_EVERY_MS,
  });
}
