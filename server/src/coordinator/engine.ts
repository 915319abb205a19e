import { createAuditService, type AuditService } from '../audits/index.ts';
import { createAuditStore } from '../audits/knex-audit-store.ts';
import {
  CacheConnection,
  createSweeper,
  RedisEntryScanner,
  RedisEntryStore,
  type Sweeper,
} from '../cache/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { keyFromCacheKey, type Resource } from '../domain/index.ts';
import {
  connectLockNodes,
  createLockService,
  type ReportingLockService,
  type ConnectedLockNodes,
} from '../locks/index.ts';
import type { Metrics } from '../metrics/index.ts';
import {
  createOutboxRelay,
  createOutboxStore,
  createRemover,
  type OutboxRelay,
  type OutboxStore,
  type Remover,
} from '../outbox/index.ts';
import { AbandonedIntents, CachedReadService, type ReadService } from '../reads/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { PolicyWriteService, Recovery, type WriteService } from '../writes/index.ts';
import type { Servers } from './servers.ts';

/** A lease outlives the slowest read that may fill under it, and no more: until it goes, nobody else fills. */
const LEASE_TTL_MARGIN_MS = 1_000;
/** Tombstones kill leases the moment they are placed; they stay so that a fill from a replica must have caught up. */
const TOMBSTONE_TTL_MS = 60_000;

export interface EngineOptions {
  config: Config;
  servers: Servers;
  database: Database;
  resources: ReadonlyMap<string, Resource>;
  metrics: Metrics;
  runtime: Runtime;
}

/** The capabilities, wired. */
export interface Engine {
  cache: CacheConnection;
  entries: RedisEntryStore;
  lockNodes: ConnectedLockNodes;
  locks: ReportingLockService;
  outboxStore: OutboxStore;
  relay: OutboxRelay;
  remover: Remover;
  sweeper: Sweeper;
  audits: AuditService;
  reads: ReadService;
  writes: WriteService;
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
  const entries = new RedisEntryStore(cache, {
    leaseTtlMs: config.database.statementTimeoutMs + LEASE_TTL_MARGIN_MS,
    tombstoneTtlMs: TOMBSTONE_TTL_MS,
    isEntryKey: (cacheKey) => ownerOf(resources, cacheKey),
  });
  const scanner = new RedisEntryScanner(cache);

  const lockNodes = connectLockNodes({ urls: servers.lockUrls, runtime });
  const locks = createLockService({
    nodes: lockNodes,
    runtime,
    telemetry,
    options: { ...config.locks, maxWaitersPerKey: config.limits.waitersPerKey },
  });

  const outboxStore = createOutboxStore(database);
  const relay = createOutboxRelay({ store: outboxStore, entries, resources, telemetry, runtime });
  const remover = createRemover({ store: outboxStore, runtime });
  const recovery = new Recovery({ cache: entries, rows, locks, telemetry, runtime });
  const abandoned = new AbandonedIntents({
    cache: entries,
    recovery,
    lockTtlMs: config.locks.ttlMs,
    log: runtime.log,
  });
  const reads = new CachedReadService({ cache: entries, rows, abandoned, telemetry, runtime });
  const writes = new PolicyWriteService({
    cache: entries,
    rows,
    locks,
    outbox: {
      finished: (outboxId) => remover.add(outboxId),
      wake: () => relay.wake(),
      append: (items) => outboxStore.append(items),
    },
    recovery,
    telemetry,
    runtime,
  });
  const sweeper = createSweeper({
    entries,
    scanner,
    recovery,
    resources,
    lockTtlMs: config.locks.ttlMs,
    runtime,
  });
  const audits = createAuditService({
    store: createAuditStore(database),
    entries,
    scanner,
    rows,
    reads,
    recovery,
    resources,
    hotKeys: (resource, count) => metrics.hotKeys(resource, count),
    telemetry,
    runtime,
  });
  return {
    cache,
    entries,
    lockNodes,
    locks,
    outboxStore,
    relay,
    remover,
    sweeper,
    audits,
    reads,
    writes,
  };
}

function ownerOf(resources: ReadonlyMap<string, Resource>, cacheKey: string): boolean {
  for (const resource of resources.values()) {
    if (resource.policy !== 'none' && keyFromCacheKey(resource, cacheKey) !== null) return true;
  }
  return false;
}
