/** A coordinator of several worker processes: this process starts the servers and keeps the workers running. */
import { ConfigError } from '../config/index.ts';
import { findFreePort, removeRuntimeFile } from '../embedded/index.ts';
import { Sequence } from '../runtime/index.ts';
import { forkWorker, SharedPort, Supervisor, type WorkerOrder } from '../workers/index.ts';
import { closePort } from './close-port.ts';
import { publishRuntime } from './publish-runtime.ts';
import { provideServers } from './servers.ts';
import type { Coordinator, CoordinatorOptions } from './start.ts';
import { Teardown } from './teardown.ts';

export interface WorkersOptions extends Omit<CoordinatorOptions, 'worker' | 'demo' | 'readConfig'> {
  /** At least 2. */
  count: number;
  /** The built program of a worker. */
  program: string;
  isDemo: boolean;
  cwd: string;
  logFile: string | null;
}

/** @throws ConfigError, EmbeddedError, or an error that says which worker could not start and why */
export async function startWorkers(options: WorkersOptions): Promise<Coordinator> {
  const teardown = new Teardown(options.runtime.log);
  try {
    return await start(options, teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

async function start(options: WorkersOptions, teardown: Teardown): Promise<Coordinator> {
  const { dataDir, runtime, signal, count } = options;
  const config = await withFixedPort(options.config);
  const { host, port } = config.listen;
  const url = `http://${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}:${port}`;
  let isPublic = false;
  const publish = (): void => {
    if (isPublic) void writes.run(write).catch(noteFault);
  };
  const servers = await provideServers({ ...options, config, onProcessesChanged: publish });
  teardown.add('embedded servers', () => servers.embedded?.stop());
  const { databaseUrl, cacheUrl, lockUrls } = servers;
  const order = (slot: number, current: typeof config): WorkerOrder => ({
    ...{ slot, config: current, dataDir, url, tokens: options.tokens, version: options.version },
    source: {
      ...{ file: options.configFile ?? undefined, isDemo: options.isDemo, port, cwd: options.cwd },
    },
    servers: { databaseUrl, cacheUrl, lockUrls },
    ...{ dashboardDir: options.dashboardDir, logFile: options.logFile },
  });
  const shared = new SharedPort();
  let closed: Promise<void> | null = null;
  const workers = new Supervisor({
    ...{ count, config, order, onChanged: publish, runtime, port: shared },
    fork: (answers) => forkWorker(options.program, answers, runtime),
    closePort: () => (closed ??= closePort(shared.server, runtime.clock)),
  });
  // In sequence: if two processes come back at the same moment, the older state could otherwise be written last.
  const writes = new Sequence();
  const write = (): Promise<void> =>
    publishRuntime({ ...options, hasDemo: options.isDemo, servers, url }, workers.processes());
  const noteFault = (error: unknown): void =>
    runtime.log.error({ err: error }, 'runtime.json was not written');

  const giveUp = (): void => void workers.stop();
  signal.addEventListener('abort', giveUp, { once: true });
  teardown.add('port', () => {
    shared.server.close();
    shared.end();
  });
  teardown.add('workers', () => workers.stop());
  await workers.start();
  await shared.listen({ host, port });
  signal.removeEventListener('abort', giveUp);
  signal.throwIfAborted();
  isPublic = true;
  await writes.run(write);
  teardown.add('runtime.json', async () => {
    isPublic = false;
    await writes.ended();
    await removeRuntimeFile(dataDir);
  });
  let stopped: Promise<void> | null = null;
  return { url, reload: () => workers.reload(), stop: () => (stopped ??= teardown.run()) };
}

/** All workers must name the same port, also one that replaces another. */
async function withFixedPort(
  config: CoordinatorOptions['config'],
): Promise<CoordinatorOptions['config']> {
  if (config.listen.port !== 0) return config;
  if (config.routing.peers.length > 0) {
    throw new ConfigError([
      {
        path: 'listen.port',
        message:
          'is 0 while there are several workers and routing.peers; allowed: a port, because each worker listens on one of those after it',
      },
    ]);
  }
  return { ...config, listen: { ...config.listen, port: await findFreePort() } };
}
