import { lookAtRedis } from './redis-facts.ts';

/** Stored in each database of a cache or lock node, so that it is the same by whatever name the server is reached. */
const KEY = 'lockstep:server';

/**
 * The id of a database of a Redis server; null where it cannot be told now. One without an id gets `proposed`.
 * @param isOwn the server is this instance's own, which says what the id is
 */
export async function redisServerId(
  url: string,
  proposed: string,
  isOwn: boolean,
): Promise<string | null> {
  try {
    return await lookAtRedis(url, async (client) => {
      if (isOwn) await client.set(KEY, proposed);
      else await client.set(KEY, proposed, 'NX');
      return client.get(KEY);
    });
  } catch {
    return null;
  }
}
