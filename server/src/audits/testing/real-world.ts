import { Redis } from 'ioredis';
import { CacheConnection, Sweeper, RedisEntryScanner, RedisEntryStore } from '../../cache/index.ts';
import { bindResources, type ResourceConfig } from '../../database/index.ts';
import { openDatabase } from '../../dialects/index.ts';
import { keyFromText, type Resource, type TelemetryEvent } from '../../domain/index.ts';
import { Leadership } from '../../jobs/index.ts';
import { createLeadershipStore } from '../../jobs/sql-leadership-store.ts';
import { LockGroups, QueueingLockService } from '../../locks/index.ts';
import {
  OutboxRelay,
  createOutboxStore,
  OutboxCleanup,
  OutboxForWriters,
} from '../../outbox/index.ts';
import { AbandonedIntents, CachedReadService } from '../../reads/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import { freshDatabase, startRedis, type DatabaseClient } from '@lockstep/testkit/servers';
import { noLeases } from './no-leases.ts';
import { DerivedDelay, NO_REPLICAS, PolicyWriteService, Recovery } from '../../writes/index.ts';
import { Audits, SqlAuditStore } from '../index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const LOCK_TTL_MS = 1_000;

const AUDIT = { when: { everyMs: 60_000 }, sample: 200, graceMs: 200, repair: 'refresh' } as const;
const COMMON = {
  key: ['id'],
  ttlMs: 600_000,
  ttlJitter: 0.1,
  negativeTtlMs: 60_000,
  onWrite: 'set',
  invalidates: [],
  audit: AUDIT,
} as const;
const CONFIGS: ResourceConfig[] = [
  { ...COMMON, name: 'account', table: 'accounts', cacheKey: 'account:{id}', policy: 'strict' },
  { ...COMMON, name: 'note', table: 'notes', cacheKey: 'note:{id}', policy: 'delete-after-write' },
];

const EMPTIED = [
  ...['accounts', 'notes', 'lockstep_outbox'],
  ...['lockstep_audit_findings', 'lockstep_audit_runs', 'lockstep_audit_leases'],
];

export type RealWorld = Awaited<ReturnType<typeof openRealWorld>>;

/** The engine on a real database and real Redis servers, with the tables `accounts` (strict) and `notes` (delete-after-write). */
export async function openRealWorld(client: DatabaseClient) {
  const servers = await openServers(client);
  const { database, resources, connection, nodes } = servers;
  const { rows } = database;
  const events: TelemetryEvent[] = [];
  const telemetry = { emit: (event: TelemetryEvent) => void events.push(event) };
  const entries = new RedisEntryStore(
    connection,
    {
      leaseTtlMs: 3_000,
      tombstoneTtlMs: 60_000,
      isEntryKey: (cacheKey) => /^(account|note):/.test(cacheKey),
    },
    runtime,
  );
  const scanner = new RedisEntryScanner(connection);
  const options = { ttlMs: LOCK_TTL_MS };
  const locks = new QueueingLockService({ nodes, runtime, telemetry, options });
  const parts = { cache: entries, rows, locks, telemetry, runtime };
  const recovery = new Recovery(parts);
  const waits = { lockTtlMs: LOCK_TTL_MS, log: quiet };
  const abandoned = new AbandonedIntents({ cache: entries, recovery, ...waits });
  const reads = new CachedReadService({ ...parts, abandoned });
  const outbox = createOutboxStore(database);
  const relay = new OutboxRelay({ store: outbox, entries, resources, telemetry, runtime });
  const cleanup = new OutboxCleanup(outbox, runtime);
  const writes = new PolicyWriteService({
    ...{ ...parts, recovery, leases: noLeases, secondDeleteDelay: new DerivedDelay(NO_REPLICAS) },
    resources,
    outbox: new OutboxForWriters({ store: outbox, relay, cleanup, entries, resources }),
  });
  const audits = new Audits({
    store: new SqlAuditStore(database.sql),
    leadership: new Leadership(createLeadershipStore(database), runtime),
    ...{ entries, scanner, rows, reads, recovery, resources, telemetry, runtime },
    hotKeys: (resource) => (resource.name === 'note' ? [keyFromText(resource, '1')] : []),
  });
  const sweeper = new Sweeper({
    ...{ scanner, entries, recovery, resources, runtime },
    lockTtlMs: LOCK_TTL_MS,
  });
  return {
    ...{ ...servers, entries, reads, writes, outbox, relay, cleanup, audits, sweeper, events },
    account: named(resources, 'account'),
    note: named(resources, 'note'),
    /** Leaves no row, no entry, no run of an audit and nothing in the outbox, so that each test begins alone. */
    async empty(): Promise<void> {
      for (const table of EMPTIED) await servers.execute(`delete from ${table}`);
      await servers.behind.flushall();
    },
    async close(): Promise<void> {
      await Promise.all([audits.stop(), sweeper.stop(), relay.stop()]);
      await cleanup.stop();
      await locks.close(2_000);
      await servers.closeServers();
    },
  };
}

async function openServers(client: DatabaseClient) {
  const [fresh, cacheServer, lockServer] = await Promise.all([
    freshDatabase(client),
    startRedis(),
    startRedis(),
  ]);
  const database = openDatabase({
    client,
    connection: fresh.url,
    pool: { min: 0, max: 8 },
    statementTimeoutMs: 2_000,
    acquireTimeoutMs: 2_000,
    runtime,
  });
  await database.migrations.up();
  const execute = (text: string): Promise<unknown> => database.sql.run({ pg: text, mysql2: text });
  const columns = '(id integer primary key, owner varchar(100) not null, balance bigint not null)';
  await execute(`create table accounts ${columns}`);
  await execute(`create table notes ${columns}`);
  const bound = await bindResources(CONFIGS, database.catalog);
  if (bound.faults.length > 0) throw new Error(JSON.stringify(bound.faults));
  const resources = new Map(bound.resources.map((resource) => [resource.name, resource]));
  const connection = new CacheConnection({
    url: cacheServer.url,
    commandTimeoutMs: 5_000,
    runtime,
  });
  const behind = new Redis(cacheServer.url);
  behind.on('error', () => {});
  const nodes = new LockGroups({ urls: [lockServer.url], groupSize: 1, runtime });
  if (!(await nodes.untilMajority(10_000))) throw new Error('the lock node does not answer');
  await connection.ready(10_000);
  return {
    ...{ database, execute, resources, connection, behind, nodes, cacheServer },
    async closeServers(): Promise<void> {
      nodes.close();
      connection.close();
      behind.disconnect();
      await database.close();
      await Promise.all([fresh.drop(), cacheServer.stop(), lockServer.stop()]);
    },
  };
}

function named(resources: ReadonlyMap<string, Resource>, name: string): Resource {
  const resource = resources.get(name);
  if (resource === undefined) throw new Error(`no resource ${name}`);
  return resource;
}
