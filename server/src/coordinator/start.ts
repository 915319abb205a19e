/**
 * One coordinator's life.
 *
 * States: starting -> serving -> draining -> stopped. A start that fails stops what it has started.
 *   starting   servers come up, tables are migrated, resources are bound; nothing listens yet
 *   serving    `/readyz` is 200 while the database answers
 *   draining   see `Stopping`: `/readyz` is 503, then writes answer SHUTTING_DOWN and those in flight end
 *   stopped    locks released, embedded servers ended, `runtime.json` removed
 */
import { createHash } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { type Config, ConfigError, type Tokens } from '../config/index.ts';
import {
  checkServers,
  ClusterRegistry,
  databasePath,
  FAILOVER_RISK,
  migrationState,
  needsSharedServers,
  newerMigrationFault,
  serversReady,
  serverUrls,
  SharedServers,
  warningsOf,
} from '../checks/index.ts';
import type { FailoverSweep } from '../cache/index.ts';
import { bindResources, knowTables, type Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { type ChangeLogReport, logNames } from '../changelog/index.ts';
import type { DriftMaker } from '../demo/index.ts';
import { isStrict, type Resource } from '../domain/index.ts';
import { removeRuntimeFile } from '../embedded/index.ts';
import { Health, ProbeFault } from '../health/index.ts';
import { createMetrics, type Metrics } from '../metrics/index.ts';
import type { Membership } from '../routing/index.ts';
import { type Runtime, Sequence } from '../runtime/index.ts';
import { followApiKeys } from './api-keys.ts';
import { CaptureWatch } from './capture-watch.ts';
import { cacheKeyFault } from './configuration-changes.ts';
import { Reloads, type ReadConfig } from './reload.ts';
import { composeEngine, type Engine } from './engine.ts';
import type { EngineOptions } from './engine-options.ts';
import { closeServer, composeFace, type FaceOptions, listen } from './http.ts';
import { publishRuntime } from './publish-runtime.ts';
import { composeRouting, ownAddress } from './routing.ts';
import { provideServers, type Servers } from './servers.ts';
import { Stopping } from './stopping.ts';
import { createTableWatch } from './table-watch.ts';
import { Teardown } from './teardown.ts';
import type { WorkerWorld } from './worker-world.ts';

/** Everything except the embedded servers must have stopped within this time. */
const STOP_MS = 14_000;
const REQUESTS_END_MS = 4_000;
const HOLDS_END_MS = 1_000;
/** How long a stopping instance waits for callers' own transactions that hold a row of a guard. */
const GUARDS_END_MS = 1_000;
/** How long a start waits for servers that do not answer yet. */
const SERVERS_START_MS = 10_000;
const CACHE_FIRST_ANSWER_MS = 5_000;
/** How long a start waits until the switches of its policies are complete; until then, reads go to the database. */
const FIRST_SETTLED_MS = 3_000;

export interface CoordinatorOptions {
  config: Config;
  /** The file it was read from, for commands that examine the running instance; null: no file. */
  configFile: string | null;
  /** A folder that this process has claimed. */
  dataDir: string;
  tokens: Tokens;
  instance: string;
  version: string;
  /** The folder of the built dashboard; null: none is served. */
  dashboardDir: string | null;
  runtime: Runtime;
  signal: AbortSignal;
  /** Reads the configuration again. */
  readConfig: ReadConfig;
  /** Creates what the demo adds; null if it does not run. */
  demo: ((servers: Servers) => DriftMaker) | null;
  /** Set if this process is one of several workers; its parent then owns the servers, the data folder and its files. */
  worker: WorkerWorld | null;
}

export interface Coordinator {
  url: string;
  /** Reads the configuration and follows it. @throws ConfigError with all its faults; nothing has changed then */
  reload(): Promise<unknown>;
  /** Drains and stops. Idempotent. */
  stop(): Promise<void>;
}

/** A coordinator in this process. */
export interface StartedCoordinator extends Coordinator {
  /** Where this process alone is reached; `url` if it is no worker. */
  address: string;
  /** What the other workers may ask about. */
  inside: {
    metrics: Metrics;
    health: Health;
    reloads: Reloads;
    locks: Pick<Engine['locks'], 'snapshot'>;
    membership: Membership;
  };
}

export async function startCoordinator(options: CoordinatorOptions): Promise<StartedCoordinator> {
  const teardown = new Teardown(options.runtime.log);
  try {
    return await start(options, teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

async function start(options: CoordinatorOptions, teardown: Teardown): Promise<StartedCoordinator> {
  const { config, runtime, instance, version, worker } = options;
  const published = new PublishedRuntime(options);
  const servers =
    worker?.servers ??
    (await provideServers({ ...options, onProcessesChanged: () => published.changed() }));
  teardown.add('embedded servers', () => servers.embedded?.stop());
  // Only external servers are checked, not those that this instance has started.
  await serversReady(config, serverUrls(config), { ...options, waitMs: SERVERS_START_MS });
  const { database, bound } = await openBoundDatabase(config, servers, runtime, teardown);
  const cacheId = await joinSharedServers(options, servers, database, teardown);
  const world = {
    ...{ ...options, servers, database },
    resources: new Map(bound.map((resource) => [resource.name, resource])),
    metrics: createMetrics({ instance, version, runtime }),
    cluster: await database.clusterName(runtime.ids.next()),
    logNames: await logNames(database.sql, config.changeLog),
    keys: await followApiKeys(options, database, teardown),
  };
  const clusters = await joinOtherClusters(world, teardown);
  const engine = composeEngine(world);
  await adoptResources(engine, bound, world.resources);
  await startEngine(engine, runtime, teardown);

  const serverFaults = async (changed: Config) =>
    (await checkServers(changed, serverUrls(changed), runtime)).faults;
  const reloads = new Reloads({ ...world, engine, clusters, serverFaults });
  const stopping = Stopping.of(
    config,
    () => routing.membership.present,
    runtime,
    worker && (() => worker.closePort()),
  );
  const capture = watchCapture(world, teardown);
  const health = composeHealth({ ...world, engine, stopping, reloads, capture });
  await health.start();
  teardown.add('health', () => health.stop());

  const demo = options.demo?.(servers) ?? null;
  const tables = createTableWatch(reloads, runtime);
  tables.start();
  teardown.add('reloads', async () => {
    await tables.stop();
    await reloads.stop();
  });
  const routing = composeRouting(world, stopping.isLeaving);
  teardown.add('routing', async () => {
    await routing.membership.stop();
    routing.peers.close();
  });
  const { router } = routing;
  const face = composeFace({ ...world, engine, health, reloads, router, demo, stopping, cacheId });
  const door = await openDoor(face.server, options, teardown);
  let stopByMs = Infinity;
  teardown.add('http', () => {
    const leftMs = Math.max(0, stopByMs - HOLDS_END_MS - runtime.clock.nowMs());
    return closeServer(face.server, runtime, Math.min(REQUESTS_END_MS, leftMs));
  });
  teardown.add('live stream', () => face.live.close());
  // Joins only now, so that this instance already listens when others learn of it.
  await routing.membership.join(door.address);
  if (worker === null) await published.begin(servers, door.url, teardown);
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    stopByMs = runtime.clock.nowMs() + STOP_MS;
    routing.membership.leave();
    await stopping.run(face.server, () => face.live.close());
    // Leases end before the server closes, so that callers that wait for their keys still get an answer.
    engine.leases.close();
    await engine.guards.close(GUARDS_END_MS);
    await teardown.run();
  };
  return {
    ...door,
    reload: async () => {
      const report = await reloads.reload();
      await worker?.othersFollow(reloads.config, { ...report, settled: true });
    },
    stop: () => (stopped ??= stop()),
    inside: {
      ...{ metrics: world.metrics, health, reloads, locks: engine.locks },
      membership: routing.membership,
    },
  };
}

/** Null where no triggers are expected. */
function watchCapture(
  { config, database, resources, runtime }: EngineOptions,
  teardown: Teardown,
): CaptureWatch | null {
  if (config.database.capture !== 'triggers') return null;
  const watch = new CaptureWatch(database.sql, resources, runtime);
  watch.start();
  teardown.add('capture triggers', () => watch.stop());
  return watch;
}

/** A worker listens where it alone is reached, and gets the connections of the common port from its parent. */
async function openDoor(
  server: Server,
  { config, worker }: CoordinatorOptions,
  teardown: Teardown,
): Promise<Pick<StartedCoordinator, 'url' | 'address'>> {
  if (worker === null) {
    const url = await listen(server, config.listen);
    return { url, address: ownAddress(config, url) };
  }
  const alone = await worker.listenAlone(server);
  teardown.add('own address', () => alone.close());
  worker.takeConnections(server);
  return { url: worker.url, address: worker.addressOf(alone.address, config) };
}

/** `runtime.json` of a coordinator that serves by itself. */
class PublishedRuntime {
  readonly #options: CoordinatorOptions;
  // In sequence: if two servers come back at the same moment, the older state could otherwise be written last.
  readonly #writes = new Sequence();
  #write: (() => Promise<void>) | null = null;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  async begin(servers: Servers, url: string, teardown: Teardown): Promise<void> {
    const { dataDir, demo } = this.#options;
    const published = { ...this.#options, hasDemo: demo !== null, servers, url };
    this.#write = () => this.#writes.run(() => publishRuntime(published));
    teardown.add('runtime.json', async () => {
      this.#write = null;
      await this.#writes.ended();
      await removeRuntimeFile(dataDir);
    });
    await this.#write();
  }

  changed(): void {
    this.#write?.().catch((error: unknown) =>
      this.#options.runtime.log.error({ err: error }, 'runtime.json was not written'),
    );
  }
}

/** Opens the database, migrates Lockstep's tables, and binds the configured resources. */
async function openBoundDatabase(
  config: Config,
  { databaseUrl }: Servers,
  runtime: Runtime,
  teardown: Teardown,
): Promise<{ database: Database; bound: Resource[] }> {
  const database = openDatabase({ ...config.database, connection: databaseUrl, runtime });
  teardown.add('database', () => database.close());
  const { pending, unknown } = await migrationState(database.sql);
  const newer = newerMigrationFault(databasePath(config), unknown);
  if (newer !== null) throw new ConfigError([newer]);
  // The migrator writes to its tables even if nothing is pending, which an account with fewer rights may not do.
  if (pending.length > 0) await database.migrations.up();
  const { resources, faults } = await bindResources(
    config.resources,
    database.catalog,
    database.rowNames,
  );
  if (faults.length > 0) throw new ConfigError(faults);
  // The warnings of an external database were already logged by the checks of the servers.
  const warnings = config.database.mode === 'embedded' ? warningsOf(config, resources) : [];
  for (const { path, message } of warnings) runtime.log.warn({ path }, message);
  return { database, bound: await knowTables(database.sql, resources) };
}

/**
 * Makes sure that no other coordinator of the database uses another cache or other lock nodes. Call this before
 * anything is read or written through the servers.
 * @returns the id that is stored in the cache; null while it is not known
 */
async function joinSharedServers(
  { config, instance, dataDir, runtime }: CoordinatorOptions,
  { cacheUrl, lockUrls }: Servers,
  { sql }: Database,
  teardown: Teardown,
): Promise<() => string | null> {
  if (!needsSharedServers(config)) return () => null;
  const place = createHash('sha256').update(`${hostname()}\0${dataDir}`).digest('base64url');
  const shared = new SharedServers({
    ...{ instance, sql, runtime, place: place.slice(0, 16) },
    servers: {
      ...{ cacheUrl, lockUrls },
      lockGroupSize: config.locks.groupSize,
      isCacheOwn: config.cache.mode === 'embedded',
      areLocksOwn: config.locks.mode === 'embedded',
    },
  });
  teardown.add('shared servers', () => shared.stop());
  await shared.join();
  return () => shared.cacheId;
}

/**
 * Makes sure that no other cluster on the same Redis has cache keys in common with this one. Call this before anything
 * is cached.
 * @throws ConfigError
 */
async function joinOtherClusters(
  world: EngineOptions,
  teardown: Teardown,
): Promise<ClusterRegistry> {
  const { config, servers, database, resources, runtime } = world;
  const registry = new ClusterRegistry({
    ...{ ...world, ...servers, sql: database.sql },
    resources: () => resources.values(),
  });
  teardown.add('other clusters', () => registry.stop());
  const warnings = await registry.join();
  // With an external database, the checks of the servers have logged the warnings.
  if (config.database.mode === 'embedded')
    for (const { path, message } of warnings) runtime.log.warn({ path }, message);
  return registry;
}

/** Makes these the cluster's resources. A changed policy is switched. */
async function adoptResources(
  { switching, owners, staleWatch, audits, refreshes }: Engine,
  bound: readonly Resource[],
  resources: Map<string, Resource>,
): Promise<void> {
  const faults = await switching.faults(bound);
  if (faults.length > 0) throw new ConfigError(faults.map(cacheKeyFault));
  for (const resource of await switching.adopt(bound, 'lead'))
    resources.set(resource.name, resource);
  owners.refresh();
  staleWatch.refresh();
  await audits.resourcesChanged();
  await refreshes.resourcesChanged();
}

/**
 * Connects the engine and starts its background work. It stops in the opposite order: locks first, then what they need.
 */
async function startEngine(engine: Engine, runtime: Runtime, teardown: Teardown): Promise<void> {
  const { cache, lockNodes, locks, leases, guards, relay, cleanup, sweeper, audits } = engine;
  const { refreshes, streams, pruning, switching, changeLog, invalidationCalls, replicas } = engine;
  const { staleWatch, failovers } = engine;
  teardown.add('connections', () => {
    cache.close();
    lockNodes.close();
  });
  await cache.ready(CACHE_FIRST_ANSWER_MS).catch(() => {
    runtime.log.warn({}, 'the cache does not answer yet; starting without it');
  });
  await replicas?.start();
  teardown.add('replicas', () => replicas?.stop());
  switching.start();
  teardown.add('switching', () => switching.stop());
  await switching.completed(FIRST_SETTLED_MS);
  relay.start();
  sweeper.start();
  audits.start();
  refreshes.start();
  streams.start();
  pruning.start();
  staleWatch.start();
  changeLog?.start();
  invalidationCalls.start();
  failovers?.start();
  teardown.add('outbox', async () => {
    await cleanup.stop();
    await relay.stop();
  });
  teardown.add('locks', () => locks.close(HOLDS_END_MS));
  teardown.add('leases', () => leases.close());
  teardown.add('guards', () => guards.close(GUARDS_END_MS));
  teardown.add('sweeper', () => sweeper.stop());
  teardown.add('audits', () => audits.stop());
  teardown.add('refreshes', () => refreshes.stop());
  teardown.add('invalidation streams', () => streams.stop());
  teardown.add('pruning', () => pruning.stop());
  teardown.add('watch of stale entries', () => staleWatch.stop());
  teardown.add('change log', () => changeLog?.stop());
  teardown.add('invalidations of transactions', () => invalidationCalls.stop());
  teardown.add('sweeps after failovers', () => failovers?.stop());
}

function composeHealth({
  config,
  instance,
  runtime,
  engine,
  database,
  resources,
  stopping,
  reloads,
  capture,
}: Omit<FaceOptions, 'health' | 'router' | 'demo' | 'cacheId' | 'worker'> & {
  capture: CaptureWatch | null;
}): Health {
  const { cache, lockNodes, changeLog, invalidationCalls, replicas, failovers } = engine;
  return new Health({
    instance,
    probes: [
      { name: 'database', kind: 'database', ping: () => database.ping() },
      {
        name: 'cache',
        kind: 'cache',
        ping: async () => {
          await cache.check();
          if (cache.fault !== null) throw new ProbeFault(cache.fault);
        },
        fault: () => cache.fault,
        partFault: () => cache.partFault,
      },
    ],
    lockNodes: () => lockNodes.status(),
    ...(replicas === null ? {} : { replicas: () => replicas.reports() }),
    get hasStrict() {
      return [...resources.values()].some(isStrict);
    },
    draining: stopping.isLeaving,
    tableFaults: () => reloads.tableFaults,
    invalidations: () => invalidationCalls.fault,
    ...(failovers === null ? {} : { failover: () => failoverState(failovers, config, resources) }),
    ...(changeLog === null ? {} : { changeLog: () => whatIsWrongWith(changeLog.report()) }),
    ...(capture === null ? {} : { capture: () => capture.fault }),
    runtime,
  });
}

/** For readiness: whether the last failover was swept, and what is at risk by the next one. */
function failoverState(
  { isPending }: FailoverSweep,
  { cache: { waitReplicas } }: Config,
  resources: ReadonlyMap<string, Resource>,
): { ok: boolean; detail: string | null } {
  if (isPending)
    return {
      ok: false,
      detail:
        'the cache has failed over: all entries are being swept, and old ones may be served until then',
    };
  const hasStrict = [...resources.values()].some(isStrict);
  return { ok: true, detail: hasStrict && waitReplicas === 0 ? `risk: ${FAILOVER_RISK}` : null };
}

/** One line for readiness; null if nothing is wrong. */
function whatIsWrongWith({ detail, retainedWarning }: ChangeLogReport): string | null {
  const all = [detail, retainedWarning].filter((line) => line !== null);
  return all.length === 0 ? null : all.join('; ');
}
