/** One of several workers behind one port: a coordinator whose parent process has started the servers. */
import { lockOn } from '../api/index.ts';
import type { Config, Environment } from '../config/index.ts';
import { createDriftMaker } from '../demo/index.ts';
import { createLog, type Runtime, systemRuntime } from '../runtime/index.ts';
import {
  type AskedOfParent,
  type AskedOfWorker,
  Channel,
  type WorkerOrder,
  type WorkerPipe,
} from '../workers/index.ts';
import { instanceName } from './instance-name.ts';
import { readConfiguration } from './read-configuration.ts';
import { startCoordinator, type StartedCoordinator } from './start.ts';
import { Teardown } from './teardown.ts';
import { WorkerWorld } from './worker-world.ts';

/** Where a worker listens that other machines need not reach. */
const LOOPBACK = '127.0.0.1';

export interface WorkerProcessOptions {
  /** To the parent process. */
  pipe: WorkerPipe;
  env: Environment;
  /** The worker drains and ends when this aborts; so it does when its parent asks it to. */
  signal: AbortSignal;
  exit: (code: number) => void;
}

/** Answers the parent process until the worker ends. */
export function runWorker({ pipe, env, signal, exit }: WorkerProcessOptions): void {
  let started: Running | null = null;
  const running = (): Running => {
    if (started !== null) return started;
    throw new Error('The worker has not started yet.');
  };
  const stop = async (): Promise<void> => {
    await started?.stop();
    exit(0);
  };
  const parent: Channel<AskedOfParent, AskedOfWorker> = new Channel<AskedOfParent, AskedOfWorker>(
    pipe,
    {
      start: async (order) => {
        started = await Running.start(order, { pipe, parent, env, signal });
        const leave = (): void => void running().leaving().then(stop);
        signal.addEventListener('abort', leave, { once: true });
        if (signal.aborted) leave();
        return { address: started.coordinator.address };
      },
      siblings: (addresses) => running().knowSiblings(addresses),
      metrics: () => running().coordinator.inside.metrics.families(),
      ready: () => Promise.resolve(running().coordinator.inside.health.ready()),
      key: ({ lockKey, names }) => Promise.resolve(running().key(lockKey, names)),
      reload: async () => {
        await running().coordinator.reload();
        return null;
      },
      follow: (config) => running().follow(config),
      stop: async () => {
        await stop();
        return null;
      },
    },
    systemRuntime(createLog('silent', null)),
  );
  parent.ask('hello', null, null).catch(() => undefined); // the parent has ended: so does this process
}

interface Surroundings {
  pipe: WorkerPipe;
  parent: Channel<AskedOfParent, AskedOfWorker>;
  env: Environment;
  signal: AbortSignal;
}

/** A worker that has started. */
class Running {
  readonly coordinator: StartedCoordinator;
  readonly instance: string;
  readonly #world: WorkerWorld;
  readonly #teardown: Teardown;
  readonly #given: { config: Config | null };

  private constructor(
    coordinator: StartedCoordinator,
    world: WorkerWorld,
    rest: { instance: string; teardown: Teardown; given: { config: Config | null } },
  ) {
    this.coordinator = coordinator;
    this.instance = rest.instance;
    this.#world = world;
    this.#teardown = rest.teardown;
    this.#given = rest.given;
  }

  static async start(order: WorkerOrder, around: Surroundings): Promise<Running> {
    const { config, source, servers, url } = order;
    const runtime = systemRuntime(createLog(config.log.level, order.logFile));
    const teardown = new Teardown(runtime.log);
    const instance = instanceName(runtime);
    const given: { config: Config | null } = { config: null };
    const world = new WorkerWorld({
      ...{ pipe: around.pipe, parent: around.parent },
      servers: { ...servers, embedded: null },
      url,
      own: ownPlace(order),
    });
    const coordinator = await startCoordinator({
      ...{ config, instance, runtime, signal: around.signal, worker: world },
      readConfig: async () =>
        given.config ?? (await readConfiguration({ ...source, env: around.env })).config,
      configFile: source.file ?? null,
      ...{ dataDir: order.dataDir, tokens: order.tokens, version: order.version },
      dashboardDir: order.dashboardDir,
      demo: source.isDemo ? driftMaker(runtime, teardown) : null,
    });
    return new Running(coordinator, world, { instance, teardown, given });
  }

  /** Resolves once this worker knows as members those of the others that the database lists. */
  async knowSiblings(addresses: readonly string[]): Promise<null> {
    this.#world.siblings = new Set(addresses);
    await this.coordinator.inside.membership.refresh();
    return null;
  }

  key(
    lockKey: string,
    names: { resource: string; text: string }[],
  ): AskedOfWorker['key']['answer'] {
    const { locks, metrics } = this.coordinator.inside;
    const { instance } = this;
    return { lock: lockOn(names, { locks, instance }), events: metrics.keyEvents({ lockKey }) };
  }

  async follow(config: Config): Promise<boolean> {
    this.#given.config = config;
    try {
      return (await this.coordinator.inside.reloads.asked()).settled;
    } finally {
      this.#given.config = null;
    }
  }

  leaving(): Promise<void> {
    return this.coordinator.inside.metrics
      .families()
      .then((families) => this.#world.leaving(families));
  }

  async stop(): Promise<void> {
    await this.coordinator.stop();
    await this.#teardown.run();
  }
}

/** With peers on other machines, those must reach each worker: it then has a port after the common one. */
function ownPlace({ config, slot }: WorkerOrder): { host: string; port: number } {
  const { listen, routing } = config;
  if (routing.peers.length === 0) return { host: LOOPBACK, port: 0 };
  return { host: listen.host, port: listen.port + 1 + slot };
}

const driftMaker =
  (runtime: Runtime, teardown: Teardown) =>
  (servers: { databaseUrl: string; cacheUrl: string }): ReturnType<typeof createDriftMaker> => {
    const { databaseUrl, cacheUrl } = servers;
    const maker = createDriftMaker({ databaseUrl, cacheUrl, runtime });
    teardown.add('drift maker', () => maker.close());
    return maker;
  };
