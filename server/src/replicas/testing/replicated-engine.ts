import { decodeEntry, type Entry } from '@lockstep/shared';
import {
  CacheConnection,
  type EntryStore,
  RedisEntryScanner,
  RedisEntryStore,
} from '../../cache/index.ts';
import { type Capabilities, composeCapabilities } from '../../coordinator/capabilities.ts';
import { bindResources, type ResourceConfig } from '../../database/index.ts';
import { openDatabase, openReplica } from '../../dialects/index.ts';
import { makeKey, type Key, type Resource, type TelemetryEvent } from '../../domain/index.ts';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import { createGuardStore } from '../../guards/index.ts';
import { createOutboxStore } from '../../outbox/index.ts';
import { SingleFlight, type ReadAnswer } from '../../reads/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import {
  startMysql,
  startMysqlReplica,
  startPostgres,
  startRedis,
  startStandby,
  type DatabaseClient,
  type TestReplica,
  type TestServer,
} from '@lockstep/testkit/servers';
import { ReplicaSet } from '../replica-set.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** One coordinator's engine, on servers that it shares with others. */
export interface ReplicatedCoordinator extends Capabilities {
  replicas: ReplicaSet;
  entries: EntryStore;
  events: TelemetryEvent[];
  note(id: number): Key;
  close(): Promise<void>;
}

export interface ReplicatedWorld {
  client: DatabaseClient;
  replica: TestReplica;
  primary: TestServer;
  one: ReplicatedCoordinator;
  other: ReplicatedCoordinator;
  /** Runs SQL on the primary behind Lockstep's back. */
  execute(sql: string): Promise<void>;
  /** The entry at a cache key; null where nothing is there. */
  entry(key: Key): Promise<Entry | null>;
  forget(key: Key): Promise<void>;
  plant(key: Key, text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Two coordinators on a primary with one replica, and one cache. */
export async function openReplicatedWorld(client: DatabaseClient): Promise<ReplicatedWorld> {
  const [primary, cacheServer] = await Promise.all([
    client === 'pg' ? startPostgres() : startMysql(),
    startRedis(),
  ]);
  const replica = await (client === 'pg' ? startStandby(primary) : startMysqlReplica(primary));
  const runtime = systemRuntime(quiet);
  const database = open(client, primary.url);
  await database.migrations.up();
  const execute = async (sql: string): Promise<void> => {
    await database.sql.run({ pg: sql, mysql2: sql });
  };
  await execute('create table notes (id integer primary key, text varchar(100) not null)');
  const cache = new CacheConnection({ url: cacheServer.url, commandTimeoutMs: 5_000, runtime });
  await cache.ready(5_000);
  const coordinators = [
    await openCoordinator(client, primary.url, replica.server.url, cacheServer.url),
    await openCoordinator(client, primary.url, replica.server.url, cacheServer.url),
  ] as const;
  return {
    ...{ client, replica, primary, one: coordinators[0], other: coordinators[1], execute },
    entry: async ({ cacheKey }) => {
      const text = await cache.run((redis) => redis.get(cacheKey));
      if (text === null) return null;
      const entry = decodeEntry(text);
      if (entry.state === 'corrupt') throw new Error(entry.reason);
      return entry;
    },
    forget: async ({ cacheKey }) => {
      await cache.run((redis) => redis.del(cacheKey));
    },
    plant: async ({ cacheKey }, text) => {
      await cache.run((redis) => redis.set(cacheKey, text));
    },
    stop: async () => {
      await Promise.all(coordinators.map((coordinator) => coordinator.close()));
      cache.close();
      await database.close();
      await replica.server.stop();
      await Promise.all([primary.stop(), cacheServer.stop()]);
    },
  };
}

const open = (client: DatabaseClient, connection: string): ReturnType<typeof openDatabase> =>
  openDatabase({
    ...{ client, connection, pool: { min: 0, max: 8 }, runtime: systemRuntime(quiet) },
    ...{ statementTimeoutMs: 3_000, acquireTimeoutMs: 2_000 },
  });

async function openCoordinator(
  client: DatabaseClient,
  primaryUrl: string,
  replicaUrl: string,
  cacheUrl: string,
): Promise<ReplicatedCoordinator> {
  const runtime = systemRuntime(quiet);
  const database = open(client, primaryUrl);
  const replicaDatabase = openReplica({
    ...{ client, connection: replicaUrl, pool: { min: 0, max: 8 }, runtime },
    ...{ statementTimeoutMs: 1_000, acquireTimeoutMs: 1_000 },
  });
  const { resources, faults } = await bindResources([NOTES], database.catalog);
  const [resource] = resources;
  if (resource === undefined || faults.length > 0) throw new Error(JSON.stringify(faults));
  const events: TelemetryEvent[] = [];
  const telemetry = { emit: (event: TelemetryEvent) => void events.push(event) };
  const { sql } = database;
  const replicas = new ReplicaSet({ sql, replicas: [replicaDatabase], telemetry, runtime });
  await replicas.start();
  const cache = new CacheConnection({ url: cacheUrl, commandTimeoutMs: 5_000, runtime });
  await cache.ready(5_000);
  const entries = new RedisEntryStore(
    cache,
    {
      ...{ leaseTtlMs: 4_000, tombstoneTtlMs: 60_000, isEntryKey: () => true },
      position: () => replicas.current(),
    },
    runtime,
  );
  const capabilities = composeCapabilities({
    instance: 'test',
    ports: {
      ...{ entries, rows: database.rows, replicas },
      lockNodes: new MemoryLockNodes(runtime),
      outbox: createOutboxStore(database),
      guards: createGuardStore(database),
      singleFlight: new SingleFlight<ReadAnswer>(),
    },
    scanner: new RedisEntryScanner(cache),
    resources: new Map<string, Resource>([[resource.name, resource]]),
    locks: { ttlMs: 2_000 },
    telemetry,
    runtime,
  });
  return {
    ...capabilities,
    ...{ replicas, entries, events, note: (id) => makeKey(resource, [String(id)]) },
    close: async () => {
      await capabilities.cleanup.stop();
      await capabilities.locks.close(0);
      await replicas.stop();
      cache.close();
      await database.close();
    },
  };
}

const NOTES: ResourceConfig = {
  name: 'note',
  table: 'notes',
  key: ['id'],
  cacheKey: 'note:{id}',
  policy: 'delete-after-write',
  onWrite: 'set',
  invalidates: [],
  audit: null,
  ttlMs: 600_000,
  ttlJitter: 0.1,
  negativeTtlMs: 60_000,
};
