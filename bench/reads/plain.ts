/** Plain commands by ioredis, with the answer's JSON parsed: the least that a reader of a cache must do. */
import { Redis } from 'ioredis';
import { allIds, found, MANY, manyFrom, type Readers, valueOf } from './reader.ts';

export function openPlain(url: string): Readers {
  const redis = new Redis(url, { enableAutoPipelining: true });
  const filled = redis.mset(
    Object.fromEntries(allIds().map((id) => [`plain:${id}`, JSON.stringify(valueOf(id))])),
  );
  return {
    rows: [
      {
        name: 'redis-get',
        keysPerCall: 1,
        read: async (id) => {
          await filled;
          JSON.parse(found(await redis.get(`plain:${id}`)));
        },
      },
      {
        name: 'redis-mget',
        keysPerCall: MANY,
        read: async (id) => {
          const texts = await redis.mget(manyFrom(id).map((each) => `plain:${each}`));
          for (const text of texts) JSON.parse(found(text));
        },
      },
    ],
    close: async () => {
      await redis.quit();
    },
  };
}
