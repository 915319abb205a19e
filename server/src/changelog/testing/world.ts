import { Redis } from 'ioredis';
import { decodeEntry, type CorruptEntry, type Entry } from '@lockstep/shared';
import { CacheConnection, RedisEntryScanner, RedisEntryStore } from '../../cache/index.ts';
import { composeCapabilities } from '../../coordinator/capabilities.ts';
import { bindResources, type ResourceConfig } from '../../database/index.ts';
import { openTestDatabase, silentLog } from '@lockstep/testkit/database/open-test-database';
import {
  keyFromCacheKey,
  makeKey,
  type Change,
  type Key,
  type TelemetryEvent,
} from '../../domain/index.ts';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import { createGuardStore } from '../../guards/index.ts';
import { createOutboxStore } from '../../outbox/index.ts';
import { SingleFlight, type ReadAnswer } from '../../reads/index.ts';
import { systemRuntime, type Log } from '../../runtime/index.ts';
import { startRedis, type DatabaseClient } from '@lockstep/testkit/servers';
import { ChangeLog, createChangeSource, logNames, PositionStore } from '../index.ts';

const DEADLINE_MS = 90_000;

const COMMON = {
  key: ['id'],
  ttlMs: 600_000,
  ttlJitter: 0,
  negativeTtlMs: 60_000,
  onWrite: 'set',
  invalidates: [],
  audit: null,
} as const;

const CONFIGS: ResourceConfig[] = [
  { ...COMMON, name: 'strict', table: 'stricts', cacheKey: 'strict:{id}', policy: 'strict' },
  {
    ...COMMON,
    name: 'plain',
    table: 'plains',
    cacheKey: 'plain:{id}',
    policy: 'delete-after-write',
  },
  {
    ...COMMON,
    name: 'logged',
    table: 'loggeds',
    cacheKey: 'logged:{id}',
    policy: 'change-log',
    invalidates: ['owner:{owner}'],
  },
];

const NOTHING = { ddl: [], configs: [] };

/** The defaults of further resources. */
const LOGGED: ResourceConfig = {
  ...COMMON,
  name: 'further',
  table: 'further',
  cacheKey: 'further:{id}',
  policy: 'change-log',
};

export type World = Awaited<ReturnType<typeof openWorld>>;
export type ResourceName = 'strict' | 'plain' | 'logged';

/** The engine on a real database and a real Redis, and change logs that follow it. */
export async function openWorld(
  client: DatabaseClient,
  log: Log = silentLog,
  more: { ddl: readonly string[]; configs: readonly Partial<ResourceConfig>[] } = NOTHING,
) {
  const runtime = systemRuntime(log);
  const [database, cacheServer] = await Promise.all([openTestDatabase(client), startRedis()]);
  const kind = client === 'pg' ? 'text' : 'varchar(100)';
  for (const { table } of CONFIGS) {
    await database.execute(
      `create table ${table} (id integer primary key, owner ${kind} not null, note text)`,
    );
  }
  if (client === 'pg') await database.execute('alter table loggeds replica identity full');
  for (const ddl of more.ddl) await database.execute(ddl);
  const configs = [
    ...CONFIGS,
    ...more.configs.map((rest): ResourceConfig => ({ ...LOGGED, ...rest })),
  ];
  const { resources: bound, faults } = await bindResources(configs, database.catalog);
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  const resources = new Map(bound.map((resource) => [resource.name, resource]));
  const connection = new CacheConnection({
    url: cacheServer.url,
    commandTimeoutMs: 5_000,
    runtime,
  });
  const behind = new Redis(cacheServer.url);
  behind.on('error', () => undefined); // tests kill the server
  await connection.ready(DEADLINE_MS);
  const entries = new RedisEntryStore(
    connection,
    {
      leaseTtlMs: 4_000,
      tombstoneTtlMs: 60_000,
      isEntryKey: (cacheKey) => bound.some((one) => keyFromCacheKey(one, cacheKey) !== null),
    },
    runtime,
  );
  const scanner = new RedisEntryScanner(connection);
  const outbox = createOutboxStore(database);
  const events: TelemetryEvent[] = [];
  const telemetry = { emit: (event: TelemetryEvent) => void events.push(event) };
  const { reads, writes, locks, cleanup } = composeCapabilities({
    ports: {
      entries,
      rows: database.rows,
      lockNodes: new MemoryLockNodes(runtime),
      outbox,
      guards: createGuardStore(database),
      singleFlight: new SingleFlight<ReadAnswer>(),
    },
    scanner,
    resources,
    instance: 'test',
    locks: { ttlMs: 2_000 },
    telemetry,
    runtime,
  });
  const services: ChangeLog[] = [];

  const { slot, serverId } = await logNames(database.sql, { slot: null, serverId: null });
  /** @param only the resources that it knows; all of them if absent */
  const follow = (only: readonly string[] = [...resources.keys()]): ChangeLog => {
    const known = new Map([...resources].filter(([name]) => only.includes(name)));
    const parts = { sql: database.sql, connection: database.url, resources: known, runtime };
    const service = new ChangeLog({
      source: createChangeSource({ ...parts, slot, serverId, publication: 'lockstep' }),
      positions: new PositionStore({ sql: database.sql, name: slot, runtime }),
      ...{ entries, scanner, outbox, resources: known, behindMs: 5_000, telemetry, runtime },
      forgetLocal: () => Promise.resolve(),
    });
    services.push(service);
    service.start();
    return service;
  };

  const key = (name: string, ...parts: (string | number)[]): Key => {
    const resource = resources.get(name);
    if (resource === undefined) throw new Error(`no resource ${name}`);
    return makeKey(resource, parts.map(String));
  };
  const entry = async (of: Key): Promise<Entry | CorruptEntry | null> => {
    const text = await behind.get(of.cacheKey);
    return text === null ? null : decodeEntry(text);
  };
  const owner = async (of: Key): Promise<unknown> => (await reads.read(of)).row?.owner ?? null;

  return {
    ...{ client, database, cacheServer, behind, reads, events, follow, key, entry, owner, entries },
    write: (of: Key, change: Change) => writes.write({ key: of, change }),
    transact: (keys: readonly Key[], change: Change) =>
      writes.transact({ writes: keys.map((of) => ({ key: of, change })) }),
    put: (of: Key, to: string) =>
      writes.write({ key: of, change: { op: 'put', set: { owner: to }, onlyCreate: false } }),
    /** Reads until the entry is a value, so that it is cached. */
    async cached(of: Key): Promise<void> {
      await until(async () => {
        await reads.read(of);
        return (await entry(of))?.state === 'value';
      });
    },
    async close(): Promise<void> {
      await Promise.all(services.map((service) => service.stop()));
      await locks.close(1_000);
      await cleanup.stop();
      connection.close();
      behind.disconnect();
      if (client === 'pg') await dropSlots(database);
      await database.drop();
      await cacheServer.stop();
    },
  };
}

async function dropSlots(database: { execute(sql: string): Promise<void> }): Promise<void> {
  await database.execute(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots
     where database = current_database() and not active`,
  );
}

/** Polls until the condition holds. @throws Error if it does not in time */
export async function until(
  holds: () => Promise<boolean> | boolean,
  what = 'the condition',
  withinMs = DEADLINE_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come about in time`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
