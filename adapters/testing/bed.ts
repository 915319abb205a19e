import { afterAll, beforeAll } from 'vitest';
import { Redis } from 'ioredis';
import { type Client, createClient } from '@lockstep/client';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import {
  type DatabaseClient,
  type FreshDatabase,
  freshDatabase,
  startRedis,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { openDatabase, type PlainDatabase, TABLES } from './tables.ts';

/** A coordinator on a database of its own, a client of it, and a look behind its back. */
export interface AdapterBed {
  databaseUrl: string;
  lockstep: Client;
  /** For statements that no ORM has made. */
  plain: PlainDatabase;
  /** The state of the entry at a cache key, such as `value`, `tombstone` or `intent`. Null if there is no entry. */
  state: (cacheKey: string) => Promise<string | null>;
}

const RESOURCES = {
  account: { table: 'accounts', key: ['id'], cacheKey: 'account:{id}', policy: 'strict' },
  profile: {
    table: 'profiles',
    key: ['id'],
    cacheKey: 'profile:{id}',
    policy: 'delete-after-write',
  },
  route: {
    table: 'routes',
    key: ['origin', 'destination'],
    cacheKey: 'route:{origin}:{destination}',
    policy: 'delete-after-write',
  },
  'owner-total': {
    computed: true,
    parameters: { owner: 'text' },
    dependsOn: [{ resource: 'account', key: { owner: 'owner' } }],
    cacheKey: 'owner-total:{owner}',
    ttl: '10m',
  },
};

/** Started before the tests of the group, and gone after them. */
export function useAdapterBed(client: DatabaseClient): () => AdapterBed {
  let bed: AdapterBed | undefined;
  const ends: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    const database: FreshDatabase = await freshDatabase(client);
    ends.push(() => database.drop());
    const plain = await openDatabase(client, database.url);
    ends.push(() => plain.close());
    for (const statement of TABLES[client]) await plain.run(statement);
    const servers: TestRedis[] = await Promise.all([startRedis(), startRedis()]);
    ends.push(() => Promise.all(servers.map((server) => server.stop())));
    const [cache, locks] = servers.map(({ url }) => url);
    const instance: Instance = await startInstance({
      config: {
        listen: { drainDelay: '200ms' },
        database: { client, connection: database.url, pool: { min: 0, max: 10 } },
        cache: { url: cache },
        locks: { nodes: [locks], ttl: '2s', waitTimeout: '20s' },
        resources: RESOURCES,
      },
    });
    ends.push(() => instance.dispose());
    const { url, serviceToken, cacheUrl } = instance.runtime;
    const lockstep = createClient({ url, token: serviceToken, redis: cacheUrl });
    ends.push(() => lockstep.close());
    await lockstep.ready();
    const redis = new Redis(cacheUrl);
    ends.push(() => redis.quit());
    const state = async (cacheKey: string): Promise<string | null> => {
      const text = await redis.get(cacheKey);
      if (text === null) return null;
      const header = JSON.parse(text.slice(0, text.indexOf('\n'))) as { s: string };
      return header.s;
    };
    bed = { databaseUrl: database.url, lockstep, plain, state };
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  return () => {
    if (bed === undefined) throw new Error('The bed has not been started');
    return bed;
  };
}
