import { lookAtRedis } from './redis-facts.ts';

/** The id is stored in each database of a cache or lock node, so it does not depend on the server's name. */
const KEY = 'lockstep:server';

/**
 * The id of a Redis server's database; null if it cannot be read now. If there is none, `proposed` becomes the id.
 * @param isOwn the server is this instance's own embedded one: its id is always `proposed`
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
