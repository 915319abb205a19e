import { Audits, SqlAuditStore } from '../audits/index.ts';
import {
  CacheConnection,
  type EntryStore,
  FailoverSweep,
  InvalidationStreams,
  RedisEntryScanner,
  RedisEntryStore,
} from '../cache/index.ts';
import type { ChangeLog } from '../changelog/index.ts';
import { CacheKeyOwners, entryOwner, hasHeader, isCached, type Resource } from '../domain/index.ts';
import { createGuardStore } from '../guards/index.ts';
import { createCallStore, InvalidationCalls } from '../invalidations/index.ts';
import { Leadership, type ScheduledJob } from '../jobs/index.ts';
import { createLeadershipStore } from '../jobs/sql-leadership-store.ts';
import { LockGroups } from '../locks/index.ts';
import { createOutboxStore, type OutboxStore } from '../outbox/index.ts';
import { createPruning } from '../pruning/index.ts';
import { RedisGenerations, Refreshes, RefreshRuns } from '../refreshes/index.ts';
import type { ReplicaSet } from '../replicas/index.ts';
import { StaleWatch } from '../rollout/index.ts';
import { SwitchStore, Switching } from '../switching/index.ts';
import { type Capabilities, composeCapabilities } from './capabilities.ts';
import { composeChangeLog } from './change-log.ts';
import type { EngineOptions } from './engine-options.ts';
import { composeReplicas } from './replicas.ts';
import { ownPorts } from './own-ports.ts';
import { sweepResources } from './sweep-resources.ts';

/** A lease lasts this much longer than the slowest read. While it is there, no other reader fills. */
const LEASE_TTL_MARGIN_MS = 1_000;
/**
 * A tombstone removes a lease at once. It stays for this long so that a fill from a replica must have caught up with
 * it.
 */
const TOMBSTONE_TTL_MS = 60_000;
/** How many foreign owners are logged at most. */
const MAX_FOREIGN_LOGGED = 100;

/** The capabilities, connected to their servers. */
export interface Engine extends Capabilities {
  cache: CacheConnection;
  /** Finds the resource of a cache key. Must be refreshed when resources change. */
  owners: CacheKeyOwners;
  entries: EntryStore;
  lockNodes: LockGroups;
  /** Null if the configuration names none. */
  replicas: ReplicaSet | null;
  outboxStore: OutboxStore;
  invalidationCalls: InvalidationCalls;
  audits: Audits;
  refreshes: Refreshes;
  /** Must be refreshed when resources change. */
  staleWatch: StaleWatch;
  generations: RedisGenerations;
  streams: InvalidationStreams;
  pruning: ScheduledJob;
  switching: Switching;
  /** Null if it is off in the configuration. */
  changeLog: ChangeLog | null;
  /** Null if the cache has no Sentinels. */
  failovers: FailoverSweep | null;
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
  const staleWatch = new StaleWatch({
    ...{ rows, resources, runtime },
    connect: () => cache.openSecond(),
  });
  const entries = composeEntries(options, cache, replicas, owners, staleWatch);
  const scanner = new RedisEntryScanner(cache);

  const { groupSize } = config.locks;
  const lockNodes = new LockGroups({ urls: servers.lockUrls, groupSize, runtime });
  const outboxStore = createOutboxStore(database);
  const ports = ownPorts(
    { entries, rows, lockNodes, outbox: outboxStore, guards: createGuardStore(database) },
    replicas,
    options,
  );
  const leadership = new Leadership(createLeadershipStore(database), runtime);
  const generations = new RedisGenerations(cache, (resource) =>
    entryOwner(options.cluster, resource),
  );
  const streams: InvalidationStreams = new InvalidationStreams({
    ...{ connection: cache, cluster: options.cluster, resources, runtime },
    isCacheable: (resource) => switching.isCacheable(resource),
  });
  const switching = new Switching({
    ...{ leadership, scanner, entries: ports.entries, resources, runtime },
    store: new SwitchStore(database.sql, runtime),
    forgetGeneration: (resource) => generations.forget(resource),
    endStreams: (names) => streams.end(names),
  });
  const { isCacheable, isCurrent } = switching;
  const known = { resources, isCurrent };
  const forgetLocal = (names: readonly string[]): Promise<void> => streams.forget(names);
  const capabilities = composeCapabilities({
    ...{ isCacheable, ports, scanner, ...known, telemetry, runtime },
    instance: options.instance,
    leases: { ...config.leases, waitTimeoutMs: config.locks.waitTimeoutMs },
    guards: config.guards,
    verifyIntent: config.strict.verifyIntent,
    locks: { ...config.locks, maxWaitersPerKey: config.limits.waitersPerKey },
  });
  const { reads, recovery } = capabilities;
  const audits = new Audits({
    ...{ leadership, entries: ports.entries, scanner, rows, reads, recovery, resources },
    ...{ telemetry, runtime },
    store: new SqlAuditStore(database.sql),
    hotKeys: (resource, count) => metrics.hotKeys(resource, count),
  });
  const refreshes = new Refreshes({
    ...{ leadership, generations, isCacheable, resources, runtime },
    runs: new RefreshRuns(database.sql),
    tables: database.tables,
  });
  const invalidationCalls = new InvalidationCalls({
    ...{ leadership, scanner, entries: ports.entries, rows, ...known, telemetry, runtime },
    store: createCallStore(database),
    forgetLocal,
    pollMs: config.invalidations.pollMs,
  });
  const changeLog = composeChangeLog(options, {
    ...{ ...ports, scanner, forgetLocal },
  });
  const pruning = createPruning({ rows, guards: ports.guards, leadership, telemetry, runtime });
  return {
    ...{ ...capabilities, cache, owners, entries: ports.entries, lockNodes, replicas, outboxStore },
    ...{ audits, refreshes, staleWatch, generations, streams, pruning, switching, changeLog },
    invalidationCalls,
    failovers: composeFailovers(options, { cache, generations }),
  };
}

function composeFailovers(
  { cluster, config, instance, metrics, resources, runtime }: EngineOptions,
  engine: Pick<Engine, 'cache' | 'generations'>,
): FailoverSweep | null {
  const { mode } = config.cache;
  if (mode !== 'sentinel' && mode !== 'cluster') return null;
  return new FailoverSweep({
    ...{ connection: engine.cache, cluster, instance, runtime },
    isRedisCluster: mode === 'cluster',
    sweep: () => sweepResources(engine, [...resources.values()], runtime),
    onSwept: () => metrics.telemetry.emit({ type: 'cache-failed-over' }),
  });
}

/** The store of entries of both formats. */
function composeEntries(
  { cluster, config, runtime }: EngineOptions,
  cache: CacheConnection,
  replicas: ReplicaSet | null,
  owners: CacheKeyOwners,
  staleWatch: StaleWatch,
): EntryStore {
  /** Foreign owners that were logged, each once. */
  const logged = new Set<string>();
  const names = new WeakMap<Resource, string>();
  const nameOf = (resource: Resource): string => {
    let name = names.get(resource);
    if (name === undefined) names.set(resource, (name = entryOwner(cluster, resource)));
    return name;
  };
  return new RedisEntryStore(
    cache,
    {
      leaseTtlMs: config.database.statementTimeoutMs + LEASE_TTL_MARGIN_MS,
      tombstoneTtlMs: TOMBSTONE_TTL_MS,
      isEntryKey: (cacheKey) => {
        const owner = owners.of(cacheKey);
        return owner !== null && isCached(owner);
      },
      isLeftAlone: (cacheKey) => staleWatch.takes(cacheKey),
      isRaw: (cacheKey) => {
        const owner = owners.maker(cacheKey);
        return owner !== null && !hasHeader(owner);
      },
      ownerOf: (cacheKey) => {
        const owner = owners.maker(cacheKey);
        return owner === null ? '' : nameOf(owner);
      },
      onForeign: (cacheKey, owner) => {
        const resource = owners.maker(cacheKey)?.name ?? '';
        if (logged.has(`${resource} ${owner}`) || logged.size >= MAX_FOREIGN_LOGGED) return;
        logged.add(`${resource} ${owner}`);
        runtime.log.warn(
          { resource, owner },
          'cache keys of this cluster hold entries of another cluster or resource; these count as missing',
        );
      },
      ...(replicas === null ? {} : { position: () => replicas.current() }),
      waitReplicas: config.cache.waitReplicas,
    },
    runtime,
  );
}
