import { createAuditService, type AuditService } from '../audits/index.ts';
import { createAuditStore } from '../audits/knex-audit-store.ts';
import {
  CacheConnection,
  type EntryScanner,
  type EntryStore,
  FormatEntryStore,
  RedisEntryScanner,
  RedisEntryStore,
  RedisRawEntryStore,
} from '../cache/index.ts';
import type { ChangeLogService, LogNames } from '../changelog/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { CacheKeyOwners, entryOwner, isCached, type Resource } from '../domain/index.ts';
import { Leadership } from '../jobs/index.ts';
import { createLeadershipStore } from '../jobs/sql-leadership-store.ts';
import { connectLockNodes, type ConnectedLockNodes } from '../locks/index.ts';
import type { Metrics } from '../metrics/index.ts';
import { createOutboxStore, type OutboxStore } from '../outbox/index.ts';
import { Pruning } from '../pruning/index.ts';
import {
  createRefreshRuns,
  createRefreshService,
  RedisGenerations,
  type RefreshService,
  type RefreshServiceOptions,
} from '../refreshes/index.ts';
import type { ReplicaSet } from '../replicas/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { createSwitchStore, Switching } from '../switching/index.ts';
import { type Capabilities, composeCapabilities } from './capabilities.ts';
import { composeChangeLog } from './change-log.ts';
import { composeReplicas } from './replicas.ts';
import { ownPorts } from './own-ports.ts';
import type { Servers } from './servers.ts';

/** A lease outlives the slowest read that may fill under it, and no more: until it goes, nobody else fills. */
const LEASE_TTL_MARGIN_MS = 1_000;
/** Tombstones kill leases the moment they are placed; they stay so that a fill from a replica must have caught up. */
const TOMBSTONE_TTL_MS = 60_000;
/** Different owners that the log names. */
const MAX_FOREIGN_TOLD = 100;

export interface EngineOptions {
  instance: string;
  /** The name of this database's Lockstep, which its entries carry. */
  cluster: string;
  logNames: LogNames;
  config: Config;
  servers: Servers;
  database: Database;
  resources: ReadonlyMap<string, Resource>;
  metrics: Metrics;
  runtime: Runtime;
}

/** The capabilities, wired. */
export interface Engine extends Capabilities {
  cache: CacheConnection;
  /** Whose entries cache keys are; to be refreshed when resources change. */
  owners: CacheKeyOwners;
  entries: EntryStore;
  lockNodes: ConnectedLockNodes;
  /** Null where the configuration names none. */
  replicas: ReplicaSet | null;
  outboxStore: OutboxStore;
  audits: AuditService;
  refreshes: RefreshService;
  generations: RedisGenerations;
  pruning: Pruning;
  switching: Switching;
  /** Null where the configuration has it off. */
  changeLog: ChangeLogService | null;
}

export function composeEngine(options: EngineOptions): Engine {
  const { config, servers, database, resources, metrics, runtime } = options;
  const { telemetry } = metrics;
  const { rows } = database;
  const cache = new CacheConnection({
    url: servers.cacheUrl,
    commandTimeoutMs: config.cache.commandTimeoutMs,
    runtime,
  });
  const replicas = composeReplicas(options);
  const owners = new CacheKeyOwners(resources);
  const entries = composeEntries(options, cache, replicas, owners);
  const scanner = new RedisEntryScanner(cache);

  const lockNodes = connectLockNodes({ urls: servers.lockUrls, runtime });
  const outboxStore = createOutboxStore(database);
  const ports = ownPorts({ entries, rows, lockNodes, outbox: outboxStore }, replicas, options);
  const leadership = new Leadership(createLeadershipStore(database), runtime);
  const generations = new RedisGenerations(cache, (resource) =>
    entryOwner(options.cluster, resource),
  );
  const switching = composeSwitching(options, {
    leadership,
    scanner,
    entries: ports.entries,
    generations,
  });
  const { isCacheable } = switching;
  const capabilities = composeCapabilities({
    isCacheable,
    ports,
    scanner,
    resources,
    instance: options.instance,
    leases: { ...config.leases, waitTimeoutMs: config.locks.waitTimeoutMs },
    verifyIntent: config.strict.verifyIntent,
    locks: { ...config.locks, maxWaitersPerKey: config.limits.waitersPerKey },
    telemetry,
    runtime,
  });
  const { reads, recovery } = capabilities;
  const audits = createAuditService({
    store: createAuditStore(database),
    leadership,
    entries: ports.entries,
    scanner,
    rows,
    reads,
    recovery,
    resources,
    hotKeys: (resource, count) => metrics.hotKeys(resource, count),
    telemetry,
    runtime,
  });
  const refreshes = composeRefreshes(options, { leadership, generations, isCacheable });
  const changeLog = composeChangeLog({
    ...options,
    entries: ports.entries,
    scanner,
    outbox: ports.outbox,
    telemetry,
  });
  return {
    ...capabilities,
    cache,
    owners,
    entries: ports.entries,
    lockNodes,
    replicas,
    outboxStore,
    audits,
    refreshes,
    generations,
    pruning: new Pruning({ rows, leadership, telemetry, runtime }),
    switching,
    changeLog,
  };
}

function composeRefreshes(
  { database, resources, runtime }: EngineOptions,
  parts: Pick<RefreshServiceOptions, 'leadership' | 'generations' | 'isCacheable'>,
): RefreshService {
  const runs = createRefreshRuns(database);
  return createRefreshService({ ...parts, runs, tables: database.tables, resources, runtime });
}

function composeSwitching(
  { database, resources, runtime }: EngineOptions,
  parts: {
    leadership: Leadership;
    scanner: EntryScanner;
    entries: EntryStore;
    generations: RedisGenerations;
  },
): Switching {
  const { leadership, scanner, entries, generations } = parts;
  return new Switching({
    store: createSwitchStore(database, runtime),
    forgetGeneration: (resource) => generations.forget(resource),
    ...{ leadership, scanner, entries, resources, runtime },
  });
}

/** The entries of both formats. */
function composeEntries(
  { cluster, config, runtime }: EngineOptions,
  cache: CacheConnection,
  replicas: ReplicaSet | null,
  owners: CacheKeyOwners,
): EntryStore {
  const told = new Set<string>();
  const names = new WeakMap<Resource, string>();
  const nameOf = (resource: Resource): string => {
    let name = names.get(resource);
    if (name === undefined) names.set(resource, (name = entryOwner(cluster, resource)));
    return name;
  };
  const headed = new RedisEntryStore(
    cache,
    {
      leaseTtlMs: config.database.statementTimeoutMs + LEASE_TTL_MARGIN_MS,
      tombstoneTtlMs: TOMBSTONE_TTL_MS,
      isEntryKey: (cacheKey) => {
        const owner = owners.of(cacheKey);
        return owner !== null && isCached(owner);
      },
      ownerOf: (cacheKey) => {
        const owner = owners.maker(cacheKey);
        return owner === null ? '' : nameOf(owner);
      },
      onForeign: (cacheKey, owner) => {
        const resource = owners.maker(cacheKey)?.name ?? '';
        if (told.has(`${resource} ${owner}`) || told.size >= MAX_FOREIGN_TOLD) return;
        told.add(`${resource} ${owner}`);
        runtime.log.warn(
          { resource, owner },
          'entries of another cluster or resource stand under cache keys of this one; they are taken for none',
        );
      },
      ...(replicas === null ? {} : { position: () => replicas.current() }),
    },
    runtime.timers,
  );
  const raw = new RedisRawEntryStore(cache, runtime.timers);
  return new FormatEntryStore(headed, raw, (cacheKey) => owners.maker(cacheKey)?.format === 'raw');
}
