import { Redis } from 'ioredis';
import { type CorruptEntry, decodeEntry, type Entry } from '@lockstep/shared';
import { openTestDatabase, silentLog } from '@lockstep/testkit/database/open-test-database';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import { type DatabaseClient, startRedis } from '@lockstep/testkit/servers';
import { CacheConnection, RedisEntryScanner, RedisEntryStore } from '../../cache/index.ts';
import { type Capabilities, composeCapabilities } from '../../coordinator/capabilities.ts';
import { bindResources, type ResourceConfig } from '../../database/index.ts';
import { keyFromCacheKey, type Key, makeKey } from '../../domain/index.ts';
import { createOutboxStore } from '../../outbox/index.ts';
import { type ReadAnswer, SingleFlight } from '../../reads/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import { SwitchStore } from '../../switching/index.ts';
import { createGuardStore } from '../index.ts';
import { type CallingProgram, connectProgram } from './calling-program.ts';

const COMMON = {
  key: ['id'],
  policy: 'strict',
  ttlMs: 600_000,
  ttlJitter: 0,
  negativeTtlMs: 60_000,
  onWrite: 'set',
  invalidates: [],
  audit: null,
} as const;

const CONFIGS: ResourceConfig[] = [
  { ...COMMON, name: 'vault', table: 'vaults', cacheKey: 'vault:{id}' },
  // Two strict resources share the rows of one table, and name the parts of its key in another order.
  {
    ...COMMON,
    name: 'seat',
    table: 'seats',
    key: ['train', 'place'],
    cacheKey: 'seat:{train}:{place}',
  },
  {
    ...{ ...COMMON, name: 'place', table: 'seats', key: ['place', 'train'] },
    cacheKey: 'place:{place}:{train}',
  },
  {
    ...{ ...COMMON, name: 'desk', table: 'desks', cacheKey: 'desk:{id}' },
    invalidates: ['room:{owner}'],
  },
  { ...COMMON, name: 'note', table: 'notes', cacheKey: 'note:{id}', policy: 'delete-after-write' },
];

const tables = (client: DatabaseClient): string[] => {
  const text = client === 'pg' ? 'text' : 'varchar(60) collate utf8mb4_bin';
  const row = `(id integer primary key, owner ${text} not null, balance bigint not null default 0)`;
  return [
    ...['vaults', 'desks', 'notes'].map((name) => `create table ${name} ${row}`),
    `create table seats (train ${text}, place ${text}, owner ${text}, primary key (train, place))`,
  ];
};

export const LOCK_TTL_MS = 600;

export type GuardedWorld = Awaited<ReturnType<typeof openGuardedWorld>>;

/** Coordinators on a real database and a real Redis, and a service with transactions of its own. */
export async function openGuardedWorld(client: DatabaseClient) {
  const runtime = systemRuntime(silentLog);
  const [database, cacheServer] = await Promise.all([
    openTestDatabase(client, { statementTimeoutMs: 2_000 }),
    startRedis(),
  ]);
  for (const table of tables(client)) await database.execute(table);
  const bound = await bindResources(CONFIGS, database.catalog, database.rowNames);
  if (bound.faults.length > 0) throw new Error(JSON.stringify(bound.faults));
  const resources = new Map(bound.resources.map((resource) => [resource.name, resource]));
  // As every start does it. From then on the database knows the names of the resources.
  await new SwitchStore(database.sql, runtime).adopt(bound.resources, 'lead');
  const connection = new CacheConnection({
    url: cacheServer.url,
    commandTimeoutMs: 2_000,
    runtime,
  });
  const behind = new Redis(cacheServer.url);
  await connection.ready(15_000);
  const entries = new RedisEntryStore(
    connection,
    {
      leaseTtlMs: 4_000,
      tombstoneTtlMs: 60_000,
      isEntryKey: (cacheKey) =>
        bound.resources.some((one) => keyFromCacheKey(one, cacheKey) !== null),
    },
    runtime,
  );
  const lockNodes = new MemoryLockNodes(runtime);
  const engines: Capabilities[] = [];
  const coordinator = (instance: string): Capabilities => {
    const engine = composeCapabilities({
      ports: {
        ...{ entries, rows: database.rows, lockNodes },
        outbox: createOutboxStore(database),
        guards: createGuardStore(database),
        singleFlight: new SingleFlight<ReadAnswer>(),
      },
      scanner: new RedisEntryScanner(connection),
      telemetry: { emit: () => undefined },
      ...{ resources, runtime, instance, locks: { ttlMs: LOCK_TTL_MS, waitTimeoutMs: 1_000 } },
    });
    engines.push(engine);
    return engine;
  };
  const programs: CallingProgram[] = [];
  let lastId = 0;
  const key = (name: string, ...parts: (string | number)[]): Key => {
    const resource = resources.get(name);
    if (resource === undefined) throw new Error(`no resource ${name}`);
    return makeKey(resource, parts.map(String));
  };
  return {
    ...{ client, database, behind, cacheServer, lockNodes, entries, key, coordinator },
    store: createGuardStore(database),
    engine: coordinator('first'),
    entry: async (of: Key): Promise<Entry | CorruptEntry | null> => {
      const stored = await behind.get(of.cacheKey);
      return stored === null ? null : decodeEntry(stored);
    },
    /** A new row of the table, and its key. */
    async row(name: 'vault' | 'desk', owner: string): Promise<Key> {
      lastId += 1;
      await database.execute(`insert into ${name}s (id, owner) values (${lastId}, '${owner}')`);
      return key(name, lastId);
    },
    async program(): Promise<CallingProgram> {
      const program = await connectProgram(database.url);
      programs.push(program);
      return program;
    },
    async close(): Promise<void> {
      for (const { guards, leases, cleanup, locks } of engines) {
        await guards.close(100);
        leases.close();
        await cleanup.stop();
        await locks.close(1_000);
      }
      for (const program of programs) program.cut();
      connection.close();
      behind.disconnect();
      await database.drop();
      await cacheServer.stop();
    },
  };
}
