/** The same work with a caching library in the place of `DEL`: `UPDATE` by the driver, then the library's own delete. */
import KeyvRedis from '@keyv/redis';
import { BentoCache, bentostore } from 'bentocache';
import { redisDriver } from 'bentocache/drivers/redis';
import { Cacheable } from 'cacheable';
import { openByHand } from './by-hand.ts';
import type { Contender, Servers } from './contender.ts';
import type { Table } from './tables.ts';

export function openBentocache(servers: Servers): Contender {
  const { hostname: host, port, password } = new URL(servers.cacheUrl);
  const connection = {
    ...{ host, port: Number(port), password: decodeURIComponent(password) },
    enableAutoPipelining: true,
  };
  const cache = new BentoCache({
    default: 'redis',
    stores: { redis: bentostore().useL2Layer(redisDriver({ connection })) },
  });
  return updateThen(servers, 'bench_bentocache', {
    delete: (key) => cache.delete({ key }),
    close: () => cache.disconnectAll(),
  });
}

export function openCacheable(servers: Servers): Contender {
  const cache = new Cacheable({ primary: new KeyvRedis(servers.cacheUrl) });
  return updateThen(servers, 'bench_cacheable', {
    delete: (key) => cache.delete(key),
    close: () => cache.disconnect(),
  });
}

interface Cache {
  delete(key: string): Promise<unknown>;
  close(): Promise<unknown>;
}

function updateThen(servers: Servers, table: Table, cache: Cache): Contender {
  const database = openByHand(servers, table);
  return {
    write: async (_caller, key, value) => {
      if ((await database.update(key, value)) !== 1) throw new Error(`${table} has no row ${key}`);
      await cache.delete(`${table}:${key}`);
    },
    close: async () => {
      await Promise.all([database.close(), cache.close()]);
    },
  };
}
