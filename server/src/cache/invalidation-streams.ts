/**
 * The invalidation streams: one for each resource of level `local`, from which clients learn what to forget.
 *
 * A stream is there -> gone (it was deleted, or has run out), and each step on an entry writes to it if it is there:
 *   - the step and its message are one script, so no reader finds the old value in the cache after the message (D17)
 *   - whether a message is written depends on the cache alone, not on what the coordinator knows of levels: one that has
 *     another configuration, or has not followed it yet, leaves out no message
 *   - where the stream is gone, clients keep nothing in memory (RP15), so that nothing has to be told
 *   - a switch ends the stream, and no coordinator that has not heard of the switch begins it again
 * A Redis Cluster has no invalidation streams: an entry and its stream would be on different servers.
 */
import { INVALIDATION_MESSAGES } from '@lockstep/shared/entry-scripts';
import { invalidationStream, isLocal, isStrict, type Resource } from '../domain/index.ts';
import { BackgroundLoop } from '../jobs/index.ts';
import { evaluate, isCluster, redisScript } from '../redis/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { CacheConnection } from './redis-connection.ts';
import forgetAll from './scripts/forget-all.lua?raw';
import keepStreams from './scripts/keep-streams.lua?raw';

const FORGET_ALL = redisScript(`${INVALIDATION_MESSAGES}\n${forgetAll}`);
const KEEP_STREAMS = redisScript(keepStreams);
/** A stream that no coordinator keeps is gone after this. */
const STREAM_TTL_MS = 600_000;
/** For so long a coordinator may not hear of a switch. It looks every second. */
const ENDED_TTL_MS = 3_600_000;
const KEEP_EVERY_MS = 1_000;
const STREAMS = invalidationStream('', '').slice(0, -1);
const SCAN_KEYS = 1_000;

export interface InvalidationStreamsOptions {
  connection: CacheConnection;
  cluster: string;
  /** The present resources of the configuration. */
  resources: ReadonlyMap<string, Resource>;
  /** Whether the resource's entries may be served now. */
  isCacheable: (resource: Resource) => boolean;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
}

/** Does nothing by itself until `start`. */
export class InvalidationStreams {
  readonly #options: InvalidationStreamsOptions;
  readonly #loop: BackgroundLoop;

  constructor(options: InvalidationStreamsOptions) {
    const { runtime } = options;
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: () => this.#keep(),
      backoff: { minMs: 100, maxMs: KEEP_EVERY_MS, jitter: 'equal' },
      onFailure: (error, failuresBefore) => {
        if (failuresBefore === 0)
          runtime.log.debug({ err: error }, 'the invalidation streams could not be kept');
      },
      runtime,
    });
  }

  /** Keeps the streams of the resources of level `local`. */
  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #keep(): Promise<number> {
    const { resources, isCacheable, connection } = this.#options;
    // No resource is of level `local` there.
    if (isCluster(connection.client)) return KEEP_EVERY_MS;
    const all = [...resources.values()];
    const kept = all.filter((each) => isLocal(each) && isCacheable(each));
    if (kept.length > 0) {
      const keys = kept.flatMap(({ name }) => this.#keysOf(name));
      const epochs = kept.map(({ epoch = 0 }) => epoch);
      await connection.run((client) =>
        evaluate(client, KEEP_STREAMS, keys, [STREAM_TTL_MS, ...epochs]),
      );
    }
    // One that was local before: strict writes put no messages into it.
    const strict = all.filter(isStrict).map(({ name }) => this.#keysOf(name)[0]);
    if (strict.length > 0) await connection.run((client) => client.unlink(strict));
    return KEEP_EVERY_MS;
  }

  /**
   * Ends the streams of resources that were switched, so that no client keeps their values in memory until they are begun
   * at this epoch or a later one.
   */
  async end(switched: readonly { resource: string; epoch: number }[]): Promise<void> {
    const { connection } = this.#options;
    await connection.run(async (client) => {
      for (const { resource, epoch } of switched) {
        const [stream, ended] = this.#keysOf(resource);
        await client.set(ended, epoch, 'PX', ENDED_TTL_MS);
        await client.unlink(stream);
      }
    });
  }

  #keysOf(resource: string): [stream: string, ended: string] {
    const stream = invalidationStream(this.#options.cluster, resource);
    return [stream, `${stream}:ended`];
  }

  /**
   * Tells clients to forget all values of these resources that they keep in memory. Call this after a sweep, which finds
   * only what is in the cache: clients may know entries that the cache has evicted.
   * @throws LockstepError `CACHE_UNAVAILABLE`
   */
  forget(resources: readonly string[]): Promise<void> {
    const { connection, cluster } = this.#options;
    return forgetAllOf(
      connection,
      resources.map((resource) => `${cluster}/${resource}`),
    );
  }
}

/** `InvalidationStreams.forget` for the resources of every cluster that uses this cache. */
export async function forgetLocal(
  connection: CacheConnection,
  resources: readonly string[],
): Promise<void> {
  if (isCluster(connection.client)) return;
  const names = new Set(resources);
  const owners = new Set<string>();
  let cursor = '0';
  do {
    const [next, streams] = await connection.run((client) =>
      client.scan(cursor, 'MATCH', `${STREAMS}*`, 'COUNT', SCAN_KEYS),
    );
    for (const stream of streams) {
      const owner = stream.slice(STREAMS.length);
      if (names.has(owner.slice(owner.lastIndexOf('/') + 1))) owners.add(owner);
    }
    cursor = next;
  } while (cursor !== '0');
  await forgetAllOf(connection, [...owners]);
}

async function forgetAllOf(connection: CacheConnection, owners: readonly string[]): Promise<void> {
  if (owners.length > 0 && !isCluster(connection.client))
    await connection.run((client) => evaluate(client, FORGET_ALL, [], owners));
}
