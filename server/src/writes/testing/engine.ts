import { Redis } from 'ioredis';
import { decodeEntry } from '@lockstep/shared';
import { CacheConnection, RedisEntryStore } from '../../cache/index.ts';
import { bindResources, type ResourceConfig, type RowStore } from '../../database/index.ts';
import { openDatabase } from '../../dialects/index.ts';
import {
  type Key,
  LockstepError,
  makeKey,
  type Resource,
  type WriteRequest,
} from '../../domain/index.ts';
import { HeldLeases } from '../../leases/index.ts';
import { QueueingLockService, type LockService } from '../../locks/index.ts';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import {
  OutboxRelay,
  createOutboxStore,
  OutboxCleanup,
  OutboxForWriters,
} from '../../outbox/index.ts';
import { AbandonedIntents, CachedReadService } from '../../reads/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import { freshDatabase, startRedis } from '@lockstep/testkit/servers';
import {
  DerivedDelay,
  NO_REPLICAS,
  PolicyWriteService,
  Recovery,
  type WriterRecovery,
} from '../index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
export const LOCK_TTL_MS = 600;

const COMMON = {
  key: ['id'],
  ttlMs: 600_000,
  ttlJitter: 0.1,
  negativeTtlMs: 60_000,
  onWrite: 'set',
  invalidates: ['owner:{owner}'],
  audit: null,
} as const;
const CONFIGS: ResourceConfig[] = [
  { ...COMMON, name: 'account', table: 'accounts', cacheKey: 'account:{id}', policy: 'strict' },
  { ...COMMON, name: 'ticket', table: 'tickets', cacheKey: 'ticket:{id}', policy: 'strict' },
  {
    ...{ ...COMMON, name: 'slip', table: 'slips', cacheKey: 'slip:{id}' },
    policy: 'delete-after-write',
  },
  { ...COMMON, name: 'note', table: 'notes', cacheKey: 'note:{id}', policy: 'delete-after-write' },
];

export type Engine = Awaited<ReturnType<typeof openEngine>>;

/** The write and read engine on a real PostgreSQL and a real Redis, with hooks into its transaction. */
export async function openEngine() {
  const runtime = systemRuntime(quiet);
  const [fresh, cacheServer] = await Promise.all([freshDatabase('pg'), startRedis()]);
  const database = openDatabase({
    client: 'pg',
    connection: fresh.url,
    pool: { min: 0, max: 8 },
    statementTimeoutMs: 3_000,
    acquireTimeoutMs: 2_000,
    runtime,
  });
  await database.migrations.up();
  const execute = (text: string): Promise<unknown> => database.sql.run({ pg: text, mysql2: text });
  const columns =
    '(id integer primary key, owner text not null unique, balance bigint not null default 0)';
  await execute(`create table accounts ${columns}`);
  await execute(`create table notes ${columns}`);
  const numbered = columns.replace(
    'integer primary',
    'integer generated always as identity primary',
  );
  await execute(`create table tickets ${numbered}`);
  await execute(`create table slips ${numbered}`);
  const { resources, faults } = await bindResources(CONFIGS, database.catalog);
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  const byName = new Map(resources.map((resource) => [resource.name, resource]));

  const connection = new CacheConnection({
    url: cacheServer.url,
    commandTimeoutMs: 5_000,
    runtime,
  });
  const behind = new Redis(cacheServer.url);
  behind.on('error', () => {});
  await connection.ready(10_000);
  const entries = new RedisEntryStore(
    connection,
    {
      leaseTtlMs: 4_000,
      tombstoneTtlMs: 60_000,
      isEntryKey: (cacheKey) => /^(account|note|ticket|slip):/.test(cacheKey),
    },
    runtime,
  );
  const nodes = new MemoryLockNodes(runtime);
  const telemetry = { emit: () => {} };
  const locks = new QueueingLockService({
    nodes,
    runtime,
    telemetry,
    options: { ttlMs: LOCK_TTL_MS },
  });
  const { rows } = database;
  const recovery = new Recovery({ cache: entries, rows, locks, telemetry, runtime });
  const leases = new HeldLeases({
    ...{ instance: 'test', locks, rows, cache: entries, recovery, runtime },
  });
  const abandoned = new AbandonedIntents({
    cache: entries,
    recovery,
    lockTtlMs: LOCK_TTL_MS,
    log: quiet,
  });
  const readParts = { cache: entries, rows, abandoned, telemetry, runtime };
  const reads = new CachedReadService(readParts);
  /** Reads as they are with `strict.verifyIntent`. */
  const verifyingReads = new CachedReadService({ ...readParts, verifyIntent: true });
  const outbox = createOutboxStore(database);
  const relay = new OutboxRelay({
    store: outbox,
    entries,
    resources: byName,
    telemetry,
    runtime,
  });
  const cleanup = new OutboxCleanup(outbox, runtime);

  /** Another coordinator's locks, on the same nodes. */
  const otherLocks = new QueueingLockService({
    ...{ nodes, runtime, telemetry, options: { ttlMs: LOCK_TTL_MS } },
  });

  /** A write service over these rows; wrap `rows` to stop, lose or break the transaction. */
  const writer = (
    over: RowStore = rows,
    recover: WriterRecovery = recovery,
    verifyIntent = false,
    through: LockService = locks,
  ): PolicyWriteService =>
    new PolicyWriteService({
      ...{
        verifyIntent,
        cache: entries,
        rows: over,
        locks: through,
        leases,
        recovery: recover,
        telemetry,
        runtime,
      },
      secondDeleteDelay: new DerivedDelay(NO_REPLICAS),
      resources: byName,
      outbox: new OutboxForWriters({ store: outbox, relay, cleanup, entries, resources: byName }),
    });
  const resource = (name: string): Resource => {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`no resource ${name}`);
    return found;
  };
  const account = (id: number): Key => makeKey(resource('account'), [String(id)]);
  const note = (id: number): Key => makeKey(resource('note'), [String(id)]);
  const put = (key: Key, owner: string): WriteRequest => ({
    key,
    change: { op: 'put', set: { owner }, onlyCreate: false },
  });
  return {
    ...{
      rows,
      entries,
      reads,
      verifyingReads,
      outbox,
      relay,
      cleanup,
      recovery,
      leases,
      otherLocks,
      nodes,
      cacheServer,
      behind,
      execute,
    },
    ...{ writer, resource, account, note, put },
    entry: async (key: Key) => decodeEntry((await behind.get(key.cacheKey)) ?? ''),
    async close(): Promise<void> {
      await relay.stop();
      await cleanup.stop();
      leases.close();
      await Promise.all([locks.close(2_000), otherLocks.close(2_000)]);
      connection.close();
      behind.disconnect();
      await database.close();
      await Promise.all([fresh.drop(), cacheServer.stop()]);
    },
  };
}

/** Of a writer that leaves its intents to others. */
export const noRecovery: WriterRecovery = { recoverSoon: () => undefined };

/** Rows of which a method does something else. */
export const withMethod = (rows: RowStore, method: Partial<RowStore>): RowStore =>
  new Proxy(rows, {
    get: (target, name): unknown => {
      const value: unknown = Reflect.get(name in method ? method : target, name);
      return value instanceof Function ? (value.bind(target) as unknown) : value;
    },
  });

/** Rows that commit, and do not say so. */
export const unheard = (rows: RowStore): RowStore =>
  withMethod(rows, {
    write: async (write) => {
      await rows.write(write);
      throw new LockstepError('OUTCOME_UNKNOWN', 'no answer');
    },
  });
