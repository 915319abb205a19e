import { afterAll, beforeAll } from 'vitest';
import { FaultLink } from '@lockstep/testkit/proxy/link';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { Redis } from 'ioredis';
import { type Client, type ClientOptions, createClient } from '../../src/index.ts';
import { SHOP_RESOURCES, SHOP_SQL } from './shop.ts';

/** A coordinator on embedded servers, with a fault proxy before it and one before its cache. */
export interface Bed {
  readonly instance: Instance;
  readonly links: { coordinator: FaultLink; cache: FaultLink };
  /** A connection to the cache, past the proxy. */
  readonly redis: Redis;
  /** A client through the proxies; closed when the file ends. */
  client(options?: Partial<ClientOptions>): Client;
  /** The same, when it reads the cache directly. */
  ready(options?: Partial<ClientOptions>): Promise<Client>;
}

export function useBed(config: object = {}): Bed {
  let instance: Instance | undefined;
  let links: Bed['links'] | undefined;
  let redis: Redis | undefined;
  const clients: Client[] = [];
  const started = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('The instance has not been started');
    return value;
  };
  const client = (options: Partial<ClientOptions> = {}): Client => {
    const { serviceToken, cacheUrl } = started(instance).runtime;
    const { coordinator, cache } = started(links);
    const throughProxy = new URL(cacheUrl);
    throughProxy.port = String(cache.port);
    const made = createClient({
      url: `http://127.0.0.1:${coordinator.port}`,
      token: serviceToken,
      redis: throughProxy.href,
      // On a busy machine the cache is slow to answer, and these tests are about what it answers.
      redisTimeoutMs: 10_000,
      ...options,
    });
    clients.push(made);
    return made;
  };
  beforeAll(async () => {
    instance = await startInstance({
      config: {
        database: { mode: 'embedded', initSql: './shop.sql' },
        cache: { mode: 'embedded', commandTimeout: '10s' },
        locks: { mode: 'embedded', ttl: '2s', waitTimeout: '20s' },
        resources: SHOP_RESOURCES,
        ...config,
      },
      files: { 'shop.sql': SHOP_SQL },
    });
    const { url, cacheUrl } = instance.runtime;
    links = {
      coordinator: await FaultLink.open({ targetPort: Number(new URL(url).port) }),
      cache: await FaultLink.open({ targetPort: Number(new URL(cacheUrl).port) }),
    };
    redis = new Redis(cacheUrl);
  });
  afterAll(async () => {
    links?.cache.heal();
    links?.coordinator.heal();
    await Promise.all(clients.map((each) => each.close()));
    redis?.disconnect();
    await links?.coordinator.close();
    await links?.cache.close();
    await instance?.dispose();
  });
  return {
    get instance() {
      return started(instance);
    },
    get links() {
      return started(links);
    },
    get redis() {
      return started(redis);
    },
    client,
    ready: async (options) => {
      const made = client(options);
      await made.ready({ timeoutMs: 20_000 });
      return made;
    },
  };
}
