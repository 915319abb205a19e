/**
 * In the place of `client/src/own-cache.ts` where the client is built with the controls: the same port with the
 * protection broken that the environment names.
 */
import type { CachePort } from '../../client/src/ports.ts';
import { ownCache as wholeCache } from '../../client/src/own-cache.ts';
import type { RedisClient } from '../../client/src/redis-connection.ts';
import type { CacheBackDoor } from './back-door.ts';
import { breakClient } from './break-client.ts';
import { CLIENT_CONTROLS, isClientControl } from './names.ts';

const VARIABLE = 'LOCKSTEP_CLIENT_CONTROL';
const name = process.env[VARIABLE] ?? '';
if (!isClientControl(name)) {
  throw new RangeError(`${VARIABLE} must be one of: ${CLIENT_CONTROLS.join(', ')}`);
}

const backDoorOf = (redis: RedisClient): CacheBackDoor => ({
  get: (cacheKey) => redis.get(cacheKey),
  set: async (cacheKey, text, ttlMs) => {
    await (ttlMs === null
      ? redis.set(cacheKey, text)
      : redis.set(cacheKey, text, 'PX', Math.ceil(ttlMs)));
  },
  expire: async (cacheKey, ttlMs) => {
    await redis.pexpire(cacheKey, ttlMs);
  },
});

/** @public The build imports it under the replaced module's name. */
export const ownCache: typeof wholeCache = (connection): CachePort =>
  breakClient(name, wholeCache(connection), backDoorOf(connection.client));
