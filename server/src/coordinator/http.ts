import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OutboxEvent } from '@lockstep/shared';
import {
  type ApiOptions,
  createApi,
  type Authenticator,
  createAuthenticator,
  createKeyInspector,
  createRefusals,
} from '../api/index.ts';
import type { Config, Tokens } from '../config/index.ts';
import type { DriftMaker } from '../demo/index.ts';
import type { Resource } from '../domain/index.ts';
import { createEdge } from '../edge/index.ts';
import type { Health } from '../health/index.ts';
import type { KnownKeys } from '../identities/index.ts';
import { locksWithLeases } from '../leases/index.ts';
import { LiveStream, type LiveOptions } from '../live/index.ts';
import type { LockSnapshot } from '../locks/index.ts';
import type { Router } from '../routing/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Engine } from './engine.ts';
import type { EngineOptions } from './engine-options.ts';
import { sweepResources } from './sweep-resources.ts';
import type { Reloads } from './reload.ts';
import type { Stopping } from './stopping.ts';
import type { WorkerWorld } from './worker-world.ts';

export interface FaceOptions extends EngineOptions {
  tokens: Tokens;
  /** API keys; null with `auth: off`. */
  keys: KnownKeys | null;
  version: string;
  /** The built dashboard; null: none is served. */
  dashboardDir: string | null;
  engine: Engine;
  health: Health;
  reloads: Reloads;
  router: Router;
  demo: DriftMaker | null;
  stopping: Pick<Stopping, 'isLeaving' | 'isRefusing' | 'held'>;
  /** The id that is stored in the cache; null while it is not known. */
  cacheId: () => string | null;
  /** Set if this process is one of several workers. */
  worker: WorkerWorld | null;
}

/** Serves the API, the dashboard's files and the live stream on one port. */
export function composeFace(options: FaceOptions): { server: Server; live: LiveStream } {
  const { config, engine, metrics, health, runtime, version, worker } = options;
  const { tokens, keys } = options;
  const auth = createAuthenticator({ ...config.auth, tokens, keys });
  const startedAtMs = runtime.clock.wallMs();
  const api = createApi({
    resources: options.resources,
    writes: options.reloads.follow(engine.writes),
    reads: options.reloads.followReads(engine.reads),
    auth,
    leases: engine.leases,
    guards: engine.guards,
    routing: options.router,
    limits: {
      ...config.limits,
      leaseTtlMs: config.leases.maxTtlMs,
      guardTtlMs: config.guards.maxTtlMs,
    },
    cacheFacts: {
      cluster: options.cluster,
      cacheId: options.cacheId,
      hasReplicas: engine.replicas !== null,
    },
    ops: composeOps(options, startedAtMs),
    health: worker ?? health,
    metricsToken: config.auth.tokens.metrics,
    metricsText: () => worker?.metricsText() ?? metrics.text(),
    dashboardDir: options.dashboardDir,
    version,
    leaving: options.stopping.isLeaving,
    draining: options.stopping.isRefusing,
    runtime,
  });
  const live = composeLive(options, viewingRights(auth));
  const { connections, unsentBytes, bodyBytes } = config.limits;
  const server = createEdge({
    api: whileStopping(options.stopping, api),
    live: live.door,
    ...createRefusals(runtime),
    bounds: { connections, unsentBytes, bodyBytes },
  });
  return { server, live };
}

function composeOps(options: FaceOptions, startedAtMs: number): ApiOptions['ops'] {
  const { engine, metrics, reloads, runtime, instance, version, worker } = options;
  const inspectKey = createKeyInspector({
    rows: options.database.rows,
    entries: engine.entries,
    locks: { snapshot: () => locksOf(engine) },
    router: options.router,
    events: (key) => metrics.keyEvents(key),
    instance,
    clock: runtime.clock,
  });
  return {
    session: () => ({ instance, version, demo: options.demo !== null, startedAtMs }),
    reload: async () => {
      const report = await reloads.asked();
      return worker?.othersFollow(reloads.config, report) ?? report;
    },
    sweep: (resources) => sweepResources(engine, resources, runtime),
    isSwitching: (resource) => !engine.switching.isCacheable(resource),
    audits: engine.audits,
    refreshes: engine.refreshes,
    staleWatch: engine.staleWatch,
    deadLetters: engine.outboxStore,
    inspectKey: async (key) => {
      const own = await inspectKey(key);
      return worker?.withOthers(key, own) ?? own;
    },
    demo: options.demo,
  };
}

/** While the instance stops: closes connections after their answer, and holds new requests while the port is closed. */
function whileStopping(stopping: FaceOptions['stopping'], api: RequestListener): RequestListener {
  return (request, response) => {
    // Node then sends `Connection: close`, and closes the connection after the answer.
    if (stopping.isLeaving()) response.shouldKeepAlive = false;
    const { held } = stopping;
    if (held === null) api(request, response);
    else void held.then(() => api(request, response));
  };
}

const viewingRights = (auth: Authenticator): LiveOptions['viewing'] => ({
  mayWatch: async (token) => (await auth.accessOf(token))?.hasRole('viewer') ?? null,
  mayStillWatch: (token) => auth.presentAccessOf(token)?.hasRole('viewer') ?? false,
});

function composeLive(options: FaceOptions, viewing: LiveOptions['viewing']): LiveStream {
  const { config, engine, metrics, health, runtime, instance, servers } = options;
  const audit = (): ReturnType<Engine['audits']['overview']> => engine.audits.overview();
  const { changeLog, replicas } = engine;
  metrics.observe({
    ...(replicas === null ? {} : { replicas: () => replicas.reports() }),
    ...(changeLog === null
      ? {}
      : { changeLog: () => ({ ...changeLog.report(), sweeps: changeLog.counts().sweeps }) }),
    locks: () => engine.locks.snapshot(),
    leases: () => leaseCounts(engine, options.resources),
    guards: () => engine.guards.size,
    outbox: () => engine.relay.status(),
    refreshes: () => engine.refreshes.overview(),
    shadow: () => engine.staleWatch.report(),
    audit,
    nodes: () => health.nodes(),
    cacheRefusals: () => engine.cache.refusals,
    members: () => options.router.members().length,
  });
  return new LiveStream({
    viewing,
    origin: config.auth,
    instance,
    runtime,
    cacheUrl: servers.cacheUrl,
    lead: (client) => engine.cache.lead(client),
    channel: `lockstep:live:${options.cluster}`,
    workers: options.worker?.sessions ?? null,
    sources: {
      second: () => metrics.second(),
      totals: () => metrics.totals(),
      locks: () => locksOf(engine),
      contention: () => engine.locks.contention(),
      ttl: () => engine.sweeper.ttl(),
      nodes: () => health.nodes(),
      audit,
      outbox: async () => ({
        ...(await engine.relay.status()),
        changeLog: await changeLogStatus(changeLog),
        refreshes: await engine.refreshes.overview(),
        switches: engine.switching.report(),
      }),
    },
  });
}

const locksOf = ({ locks, leases }: Engine): LockSnapshot =>
  locksWithLeases(locks.snapshot(), leases);

/** Leases by resource. A resource without leases counts 0, so that a graph has no gap. */
function leaseCounts(
  { leases }: Engine,
  resources: ReadonlyMap<string, Resource>,
): Map<string, number> {
  const counts = new Map([...resources.keys()].map((name) => [name, 0]));
  for (const { resource } of leases.held()) counts.set(resource, (counts.get(resource) ?? 0) + 1);
  return counts;
}

/** The change log as the live stream shows it, with the whole cluster's counts from the database. */
async function changeLogStatus(
  changeLog: Engine['changeLog'],
): Promise<NonNullable<OutboxEvent['changeLog']> | null> {
  const report = changeLog?.report();
  if (changeLog === null || report === undefined || report.state === 'off') return null;
  const bypassed = await changeLog.bypassCounts();
  return {
    ...report,
    state: report.state,
    bypassed,
    bypassedTotal: bypassed.reduce((sum, { changes }) => sum + changes, 0),
  };
}

/** Listens. Returns the address as a URL. */
export async function listen(server: Server, { host, port }: Config['listen']): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

/** Closes idle connections and waits for answers in flight. After `timeoutMs` it cuts the other connections. */
export async function closeServer(
  server: Server,
  runtime: Runtime,
  timeoutMs: number,
): Promise<void> {
  // If the port is closed already, the callback gets an error, which can be ignored.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = runtime.timers.after(timeoutMs, () => server.closeAllConnections());
  await closed;
  cut.cancel();
}
