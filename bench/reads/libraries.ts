/** Reads by caching libraries: `bentocache` and `cacheable`, each in memory and on Redis, with a loader as they ask for. */
import KeyvRedis from '@keyv/redis';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisDriver } from 'bentocache/drivers/redis';
import { Cacheable } from 'cacheable';
import { allIds, found, type Reader, type Readers, type RowName, valueOf } from './reader.ts';

const MEMORY_BYTES = '64mb';
const TTL = '1h';

export async function openLibraries(url: string): Promise<Readers> {
  const { hostname: host, port, password } = new URL(url);
  const connection = { host, port: Number(port), password: decodeURIComponent(password) };
  const bento = new BentoCache({
    default: 'memory',
    stores: {
      memory: bentostore().useL1Layer(memoryDriver({ maxSize: MEMORY_BYTES })),
      redis: bentostore().useL2Layer(
        redisDriver({ connection: { ...connection, enableAutoPipelining: true } }),
      ),
    },
  });
  const inMemory = new Cacheable({ ttl: TTL });
  const onRedis = new Cacheable({ primary: new KeyvRedis(url), ttl: TTL });
  const row = (
    name: RowName,
    get: (key: string, load: () => unknown) => Promise<unknown>,
  ): Reader => ({
    ...{ name, keysPerCall: 1 },
    read: async (id) => {
      found(await get(`library:${id}`, () => valueOf(id)));
    },
  });
  const rows = [
    row('bentocache-memory', (key, factory) =>
      bento.use('memory').getOrSet({ key, factory, ttl: TTL }),
    ),
    row('bentocache-redis', (key, factory) =>
      bento.use('redis').getOrSet({ key, factory, ttl: TTL }),
    ),
    row('cacheable-memory', (key, load) => inMemory.getOrSet(key, () => Promise.resolve(load()))),
    row('cacheable-redis', (key, load) => onRedis.getOrSet(key, () => Promise.resolve(load()))),
  ];
  for (const { read } of rows) for (const id of allIds()) await read(id);
  return {
    rows,
    close: async () => {
      await bento.disconnectAll();
      await Promise.all([inMemory.disconnect(), onRedis.disconnect()]);
    },
  };
}
