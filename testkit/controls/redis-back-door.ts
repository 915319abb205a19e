import { Redis } from 'ioredis';
import { LockstepError } from '../../server/src/domain/index.ts';
import type { Runtime } from '../../server/src/runtime/index.ts';
import type { BackDoor } from './back-door.ts';

const COMMAND_TIMEOUT_MS = 500;
const RECONNECT_MS = 100;

interface Servers {
  cacheUrl: string;
  lockUrls: readonly string[];
}

/** The back door to real servers, with connections of its own that end with the process. */
export function openRedisBackDoor(servers: Servers, { log }: Pick<Runtime, 'log'>): BackDoor {
  const connect = (url: string): Redis => {
    const client = new Redis(url, {
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: COMMAND_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => RECONNECT_MS,
    });
    client.on('error', (error: Error) => log.debug({ err: error }, 'back door'));
    return client;
  };
  const cache = connect(servers.cacheUrl);
  const nodes = servers.lockUrls.map(connect);
  return {
    cache: {
      get: (cacheKey) => orUnavailable(cache.get(cacheKey)),
      set: async (cacheKey, text, ttlMs) => {
        await orUnavailable(
          ttlMs === null ? cache.set(cacheKey, text) : cache.set(cacheKey, text, 'PX', ttlMs),
        );
      },
      expire: async (cacheKey, ttlMs) => {
        await orUnavailable(cache.pexpire(cacheKey, ttlMs));
      },
    },
    locks: {
      delete: async (lockKey) => {
        await Promise.allSettled(nodes.map((node) => node.del(lockKey)));
      },
    },
  };
}

async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.', { cause: error });
  }
}
