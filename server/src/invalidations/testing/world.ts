import { Redis } from 'ioredis';
import { type CorruptEntry, decodeEntry, type Entry } from '@lockstep/shared';
import { openTestDatabase, silentLog } from '@lockstep/testkit/database/open-test-database';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import { eventually } from '@lockstep/testkit/poll';
import { type DatabaseClient, startRedis } from '@lockstep/testkit/servers';
import { CacheConnection, RedisEntryScanner, RedisEntryStore } from '../../cache/index.ts';
import { composeCapabilities } from '../../coordinator/capabilities.ts';
import { bindResources, type ResourceConfig } from '../../database/index.ts';
import {
  keyFromCacheKey,
  type Key,
  makeKey,
  type Resource,
  type TelemetryEvent,
} from '../../domain/index.ts';
import { Leadership } from '../../jobs/index.ts';
import { createLeadershipStore } from '../../jobs/sql-leadership-store.ts';
import { createGuardStore } from '../../guards/index.ts';
import { createOutboxStore } from '../../outbox/index.ts';
import { type ReadAnswer, SingleFlight } from '../../reads/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import { SwitchStore } from '../../switching/index.ts';
import { createCallStore, InvalidationCalls } from '../index.ts';
import { type CallingProgram, connectProgram } from './calling-program.ts';

export const COMMON = {
  key: ['id'],
  policy: 'delete-after-write',
  ttlMs: 600_000,
  ttlJitter: 0,
  negativeTtlMs: 60_000,
  onWrite: 'set',
  invalidates: [],
  audit: null,
} as const;

const CONFIGS: ResourceConfig[] = [
  {
    ...COMMON,
    name: 'account',
    table: 'accounts',
    cacheKey: 'account:{id}',
    invalidates: ['page:{owner}:accounts', 'badge:{id}'],
  },
  // Shares the rows of the one above.
  { ...COMMON, name: 'summary', table: 'accounts', cacheKey: 'summary:{id}' },
  { ...COMMON, name: 'vault', table: 'vaults', cacheKey: 'vault:{id}', policy: 'strict' },
  {
    ...COMMON,
    name: 'route',
    table: 'routes',
    key: ['origin', 'day', 'place'],
    cacheKey: 'route:{origin}:{day}:{place}',
    invalidates: ['board:{origin}'],
  },
  {
    ...COMMON,
    name: 'owner-accounts',
    table: '',
    key: ['owner'],
    cacheKey: 'owner:{owner}:accounts',
    derived: {
      source: {
        kind: 'query',
        text: 'select id, balance from accounts where owner = {owner} order by id',
        maxRows: 100,
      },
      parameters: [{ name: 'owner', type: 'text' }],
      dependsOn: [{ resource: 'account', key: { owner: 'owner' } }],
    },
  },
];

const UUIDS: ResourceConfig[] = [
  { ...COMMON, name: 'token', table: 'tokens', cacheKey: 'token:{id}' },
  { ...COMMON, name: 'moment', table: 'moments', key: ['at'], cacheKey: 'moment:{at}' },
];

const text = (client: DatabaseClient): string =>
  client === 'pg' ? 'text' : 'varchar(60) collate utf8mb4_bin';

const TABLES = (client: DatabaseClient): string[] => [
  `create table accounts (id integer primary key, owner ${text(client)} not null, balance bigint not null default 0)`,
  `create table vaults (id integer primary key, owner ${text(client)} not null)`,
  `create table routes (origin ${text(client)}, day integer, place ${text(client)}, seats integer,
     primary key (origin, day, place))`,
  ...(client === 'pg'
    ? [
        'create table tokens (id uuid primary key, note text)',
        'create table moments (at timestamptz primary key, note text)',
      ]
    : []),
];

export type World = Awaited<ReturnType<typeof openWorld>>;

/**
 * The engine on a real database and a real Redis, and programs that change the tables behind its back.
 * @param more tables and resources beside the common ones
 */
export async function openWorld(
  client: DatabaseClient,
  more: { tables: readonly string[]; configs: readonly ResourceConfig[] } = {
    tables: [],
    configs: [],
  },
) {
  const runtime = systemRuntime(silentLog);
  const [database, cacheServer] = await Promise.all([openTestDatabase(client), startRedis()]);
  for (const table of [...TABLES(client), ...more.tables]) await database.execute(table);
  const configs = [...CONFIGS, ...(client === 'pg' ? UUIDS : []), ...more.configs];
  const bound = await bindResources(configs, database.catalog, database.rowNames);
  if (bound.faults.length > 0) throw new Error(JSON.stringify(bound.faults));
  const resources = new Map(bound.resources.map((resource) => [resource.name, resource]));
  // As every start does it. From then on the database knows the names of the resources.
  await new SwitchStore(database.sql, runtime).adopt(bound.resources, 'lead');
  const connection = new CacheConnection({
    url: cacheServer.url,
    commandTimeoutMs: 5_000,
    runtime,
  });
  const behind = new Redis(cacheServer.url);
  behind.on('error', () => undefined); // tests kill the server
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
  const scanner = new RedisEntryScanner(connection);
  const events: TelemetryEvent[] = [];
  const telemetry = { emit: (event: TelemetryEvent) => void events.push(event) };
  const outbox = createOutboxStore(database);
  const { reads, writes, locks, cleanup } = composeCapabilities({
    ports: {
      entries,
      rows: database.rows,
      lockNodes: new MemoryLockNodes(runtime),
      outbox,
      guards: createGuardStore(database),
      singleFlight: new SingleFlight<ReadAnswer>(),
    },
    ...{ scanner, resources, telemetry, runtime, instance: 'test', locks: { ttlMs: 2_000 } },
  });

  const coordinators: InvalidationCalls[] = [];
  /** Starts the invalidations of one more coordinator. @param known the resources of its configuration */
  const coordinate = (known: ReadonlyMap<string, Resource> = resources): InvalidationCalls => {
    const calls = new InvalidationCalls({
      ...{ entries, scanner, rows: database.rows, resources: known, telemetry, runtime },
      store: createCallStore(database),
      forgetLocal: () => Promise.resolve(),
      leadership: new Leadership(createLeadershipStore(database), runtime),
    });
    coordinators.push(calls);
    calls.start();
    return calls;
  };
  const programs: CallingProgram[] = [];
  const key = (name: string, ...parts: (string | number)[]): Key => {
    const resource = resources.get(name);
    if (resource === undefined) throw new Error(`no resource ${name}`);
    return makeKey(resource, parts.map(String));
  };
  const entry = async (of: Key): Promise<Entry | CorruptEntry | null> => {
    const stored = await behind.get(of.cacheKey);
    return stored === null ? null : decodeEntry(stored);
  };
  const state = async (of: Key): Promise<string | null> => (await entry(of))?.state ?? null;

  return {
    ...{ client, database, cacheServer, behind, entries, events, outbox, resources },
    ...{ coordinate, key, entry, state, reads, writes },
    /** Connects another program. @param as its own user and password in the place of the tests' */
    async program(as?: { user: string; password: string }): Promise<CallingProgram> {
      const url = new URL(database.url);
      if (as !== undefined) [url.username, url.password] = [as.user, as.password];
      const program = await connectProgram(url.href);
      programs.push(program);
      return program;
    },
    /** Reads until each entry is a value. */
    cached: (...keys: Key[]): Promise<void> =>
      eventually(async () => {
        for (const of of keys) {
          await reads.read(of);
          if ((await state(of)) !== 'value') throw new Error(`${of.cacheKey} is not cached`);
        }
      }),
    /** Resolves when no call is left in the database. */
    carriedOut: (): Promise<void> =>
      eventually(
        async () => {
          const { rows } = await database.sql.run(LEFT);
          if (rows.length > 0)
            throw new Error(`${rows.length} calls are still there: ${JSON.stringify(rows[0])}`);
        },
        { everyMs: 5 },
      ),
    async close(): Promise<void> {
      await Promise.all(coordinators.map((calls) => calls.stop()));
      await Promise.all(programs.map((program) => program.close()));
      await locks.close(1_000);
      await cleanup.stop();
      connection.close();
      behind.disconnect();
      await database.drop();
      await cacheServer.stop();
    },
  };
}

const LEFT = {
  pg: 'select resource, key, error from lockstep_invalidations',
  mysql2: 'select resource, `key`, error from lockstep_invalidations',
};
