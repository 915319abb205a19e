/**
 * One coordinator's life.
 *
 * States: starting -> serving -> draining -> stopped. A start that fails stops what it has started.
 *   starting   servers come up, tables are migrated, resources are bound; nothing listens yet
 *   serving    `/readyz` is 200 while the database answers
 *   draining   as `Stopping` says: `/readyz` is 503, then writes answer SHUTTING_DOWN, those under way end
 *   stopped    locks released, embedded servers ended, `runtime.json` removed
 */
import { type Config, ConfigError, type Tokens } from '../config/index.ts';
import {
  databasePath,
  migrationState,
  newerMigrationFault,
  serversReady,
  type ServerUrls,
  warningsOf,
} from '../checks/index.ts';
import { bindResources, knowTables, openDatabase, type Database } from '../database/index.ts';
import { logNames } from '../changelog/index.ts';
import type { DriftMaker } from '../demo/index.ts';
import { isStrict, type Resource } from '../domain/index.ts';
import { removeRuntimeFile, writeRuntimeFile } from '../embedded/index.ts';
import { createHealth, type Health, ProbeFault } from '../health/index.ts';
import { createMetrics } from '../metrics/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { cacheKeyFault } from './configuration-changes.ts';
import { Reloads, type ReadConfig } from './reload.ts';
import { composeEngine, type Engine } from './engine.ts';
import { closeServer, composeFace, listen } from './http.ts';
import { composeRouting } from './routing.ts';
import { RuntimePublisher } from './runtime-publisher.ts';
import { joinOtherClusters } from './other-clusters.ts';
import { provideServers, type Servers } from './servers.ts';
import { joinSharedServers } from './shared-servers.ts';
import { Stopping } from './stopping.ts';
import { createTableWatch } from './table-watch.ts';
import { Teardown } from './teardown.ts';

/** All of a stop but the embedded servers' is to be over by then. */
const STOP_MS = 14_000;
const REQUESTS_END_MS = 4_000;
const TURNS_END_MS = 1_000;
/** How long a start waits for servers that do not answer yet. */
const SERVERS_START_MS = 10_000;
const CACHE_FIRST_ANSWER_MS = 5_000;
/** How long a start waits for its policies to settle; until they have, reads go to the database. */
const FIRST_SETTLED_MS = 3_000;

export interface CoordinatorOptions {
  config: Config;
  /** Where it was read from, for commands that look at the running instance; null: no file. */
  configFile: string | null;
  /** Claimed by this process. */
  dataDir: string;
  tokens: Tokens;
  instance: string;
  version: string;
  /** The built dashboard; null: none is served. */
  dashboardDir: string | null;
  runtime: Runtime;
  signal: AbortSignal;
  /** Reads the configuration again. */
  readConfig: ReadConfig;
  /** What the demo adds; null where it does not run. */
  demo: ((world: DemoWorld) => DriftMaker) | null;
}

/** What the demo works with. */
export interface DemoWorld {
  database: Database;
  servers: Servers;
  engine: Engine;
  resources: ReadonlyMap<string, Resource>;
}

export interface Coordinator {
  url: string;
  /** Follows the configuration as it is now. @throws ConfigError with all its faults; nothing has changed then */
  reload(): Promise<unknown>;
  /** Drains and stops. Idempotent. */
  stop(): Promise<void>;
}

export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const teardown = new Teardown(options.runtime.log);
  try {
    return await start(options, teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

async function start(options: CoordinatorOptions, teardown: Teardown): Promise<Coordinator> {
  const { config, dataDir, runtime, instance, version } = options;
  let publish: (() => Promise<void>) | null = null;
  const servers = await provideServers({
    ...options,
    onProcessesChanged: () => {
      publish?.().catch((error: unknown) =>
        runtime.log.error({ err: error }, 'runtime.json was not written'),
      );
    },
  });
  teardown.add('embedded servers', () => servers.embedded?.stop());
  await serversReady(config, externalUrls(config), {
    ...options,
    waitMs: SERVERS_START_MS,
  });
  const { database, bound } = await openBoundDatabase(config, servers, runtime, teardown);
  await joinSharedServers(options, servers, database, teardown);
  /** The configured resources by name; a reload puts others in. */
  const resources = new Map(bound.map((resource) => [resource.name, resource]));

  const metrics = createMetrics({ instance, version, runtime });
  const cluster = await database.clusterName(runtime.ids.next());
  const named = { ...options, cluster, logNames: await logNames(database.sql, config.changeLog) };
  const parts = { servers, database, resources };
  const clusters = await joinOtherClusters(named, parts, teardown);
  const engine = composeEngine({ ...named, ...parts, metrics });
  await adoptResources(engine, bound, resources);
  await startEngine(engine, runtime, teardown);

  const reloads = new Reloads({ ...options, database, engine, resources, clusters });
  const stopping = Stopping.of(config, () => routing.present(), runtime);
  const health = composeHealth(options, { engine, database, resources, stopping, reloads });
  await health.start();
  teardown.add('health', () => health.stop());

  const demo = options.demo?.({ ...parts, engine }) ?? null;
  const tables = createTableWatch(reloads, runtime);
  tables.start();
  teardown.add('reloads', async () => {
    await tables.stop();
    await reloads.stop();
  });
  const routing = composeRouting({ ...options, database, metrics, draining: stopping.isLeaving });
  teardown.add('routing', () => routing.stop());
  const face = composeFace({
    ...named,
    database,
    cacheUrl: servers.cacheUrl,
    engine,
    resources,
    metrics,
    health,
    reloads,
    router: routing.router,
    demo,
    stopping,
  });
  const url = await listen(face.server, config.listen);
  let stopByMs = Infinity;
  teardown.add('http', () => {
    const leftMs = Math.max(0, stopByMs - TURNS_END_MS - runtime.clock.nowMs());
    return closeServer(face.server, runtime, Math.min(REQUESTS_END_MS, leftMs));
  });
  teardown.add('live stream', () => face.live.close());
  // Only now: who hears of this one finds it listening.
  await routing.join(url);

  const file = new RuntimePublisher(() => publishRuntime(options, servers, url));
  publish = () => file.write();
  teardown.add('runtime.json', async () => {
    publish = null;
    await file.written();
    await removeRuntimeFile(dataDir);
  });
  await file.write();
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    stopByMs = runtime.clock.nowMs() + STOP_MS;
    routing.leave();
    await stopping.run(face.server, () => face.live.close());
    // Their holders can do nothing more here, and whoever waits for their keys is answered before the server closes.
    engine.leases.close();
    await teardown.run();
  };
  return { url, reload: () => reloads.reload(), stop: () => (stopped ??= stop()) };
}

/** Those that somebody else runs: what this instance has started itself needs no check. */
function externalUrls({ database, cache, locks }: Config): ServerUrls {
  return {
    database: database.mode === 'external' ? database.connection : null,
    cache: cache.mode === 'single' ? cache.url : null,
    locks: locks.mode === 'external' ? locks.nodes : [],
  };
}

/** The database with Lockstep's tables, and the configured resources as it has them. */
async function openBoundDatabase(
  config: Config,
  { databaseClient, databaseUrl }: Servers,
  runtime: Runtime,
  teardown: Teardown,
): Promise<{ database: Database; bound: Resource[] }> {
  const { pool, statementTimeoutMs, acquireTimeoutMs, timeZone } = config.database;
  const database = openDatabase({
    client: databaseClient,
    connection: databaseUrl,
    pool,
    statementTimeoutMs,
    acquireTimeoutMs,
    timeZone,
    runtime,
  });
  teardown.add('database', () => database.close());
  const { pending, unknown } = await migrationState(database.sql);
  const newer = newerMigrationFault(databasePath(config), unknown);
  if (newer !== null) throw new ConfigError([newer]);
  // The migrator writes to its tables even where nothing is pending; an account that only runs may not.
  if (pending.length > 0) await database.migrations.up();
  const { resources, faults } = await bindResources(
    config.resources,
    database.catalog,
    database.rowNames,
  );
  if (faults.length > 0) throw new ConfigError(faults);
  // An external one was looked at with its server.
  const warnings = config.database.mode === 'embedded' ? warningsOf(config, resources) : [];
  for (const { path, message } of warnings) runtime.log.warn({ path }, message);
  return { database, bound: await knowTables(database.sql, resources) };
}

/** Makes the resources the cluster's: a policy that is another one than before is switched. */
async function adoptResources(
  { switching, owners, audits, refreshes }: Engine,
  bound: readonly Resource[],
  resources: Map<string, Resource>,
): Promise<void> {
  const faults = await switching.faults(bound);
  if (faults.length > 0) throw new ConfigError(faults.map(cacheKeyFault));
  for (const resource of await switching.adopt(bound, 'lead'))
    resources.set(resource.name, resource);
  owners.refresh();
  await audits.resourcesChanged();
  await refreshes.resourcesChanged();
}

/** Connects the engine and starts what it does by itself. It stops in the opposite order: locks first, then what they need. */
async function startEngine(engine: Engine, runtime: Runtime, teardown: Teardown): Promise<void> {
  const { cache, lockNodes, locks, leases, relay, cleanup, sweeper, audits } = engine;
  const { refreshes, pruning, switching, changeLog, replicas } = engine;
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
  await switching.settled(FIRST_SETTLED_MS);
  relay.start();
  sweeper.start();
  audits.start();
  refreshes.start();
  pruning.start();
  changeLog?.start();
  teardown.add('outbox', async () => {
    await cleanup.stop();
    await relay.stop();
  });
  teardown.add('locks', () => locks.close(TURNS_END_MS));
  teardown.add('leases', () => leases.close());
  teardown.add('sweeper', () => sweeper.stop());
  teardown.add('audits', () => audits.stop());
  teardown.add('refreshes', () => refreshes.stop());
  teardown.add('pruning', () => pruning.stop());
  teardown.add('change log', () => changeLog?.stop());
}

interface HealthParts {
  engine: Engine;
  database: Database;
  resources: ReadonlyMap<string, Resource>;
  stopping: Pick<Stopping, 'isLeaving'>;
  reloads: Pick<Reloads, 'tableFaults'>;
}

function composeHealth(
  { instance, runtime }: CoordinatorOptions,
  { engine, database, resources, stopping, reloads }: HealthParts,
): Health {
  const { cache, lockNodes, changeLog, replicas } = engine;
  return createHealth({
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
      },
    ],
    lockNodes: () => lockNodes.status(),
    ...(replicas === null ? {} : { replicas: () => replicas.reports() }),
    get hasStrict() {
      return [...resources.values()].some(isStrict);
    },
    draining: stopping.isLeaving,
    tableFaults: () => reloads.tableFaults,
    ...(changeLog === null ? {} : { changeLog: () => changeLog.report().detail }),
    runtime,
  });
}

function publishRuntime(
  { dataDir, tokens, configFile, demo }: CoordinatorOptions,
  servers: Servers,
  url: string,
): Promise<void> {
  const { databaseUrl, cacheUrl, lockUrls, embedded } = servers;
  return writeRuntimeFile(dataDir, {
    url,
    pid: process.pid,
    databaseUrl,
    cacheUrl,
    lockUrls: [...lockUrls],
    adminToken: tokens.admin,
    serviceToken: tokens.service,
    processes: embedded?.processes() ?? [],
    configFile,
    demo: demo !== null,
  });
}
