import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, ConfigError, type Environment, resolveTokens } from '../config/index.ts';
import { createDriftMaker, startDemoLoad } from '../demo/index.ts';
import { claimDataDir, removeRuntimeFile } from '../embedded/index.ts';
import { createLog, systemRuntime, type Runtime } from '../runtime/index.ts';
import { instanceName } from './instance-name.ts';
import { readConfiguration } from './read-configuration.ts';
import { type Coordinator, startCoordinator } from './start.ts';
import { Teardown } from './teardown.ts';
import { startWorkers } from './workers.ts';

export interface RunOptions {
  /** A configuration file; absent: the demo's configuration, or with `demo: false` the defaults. */
  configFile?: string;
  dataDir: string;
  port?: number;
  /** How many processes serve. 1: this one. */
  workers: number;
  /** The built program of a worker. */
  workerProgram: string;
  demo: boolean;
  env: Environment;
  cwd: string;
  version: string;
  /** The folder of the built dashboard; null: none is served. */
  dashboardDir: string | null;
  demoLoadProgram: string;
  /** The instance stops when this aborts. */
  signal: AbortSignal;
  /** Called once, when the instance serves. */
  onServing(instance: ServingInstance): void;
  /** Registers `reload`, to be called when the configuration is to be read again. */
  onReload(reload: () => void): void;
}

export interface ServingInstance {
  url: string;
  adminToken: string;
  dataDir: string;
  demo: boolean;
  /** Where the log goes; null: standard error. */
  logFile: string | null;
}

/** Runs one instance until `signal` aborts, and resolves when everything that it started is stopped. */
export async function runInstance(options: RunOptions): Promise<void> {
  const isDemo = options.demo && options.configFile === undefined;
  const { configFile: file, env, cwd, port } = options;
  const read = (): ReturnType<typeof readConfiguration> =>
    readConfiguration({ file, isDemo, env, cwd, port });
  const { config, warnings } = await read();
  // If this process is root, PostgreSQL runs as another account, which must be able to enter the folder. Its files have
  // modes of their own.
  await mkdir(options.dataDir, { recursive: true, mode: 0o711 });
  const logFile = isDemo ? join(options.dataDir, 'logs', 'coordinator.log') : null;
  const runtime = systemRuntime(createLog(config.log.level, logFile));
  for (const warning of warnings) runtime.log.warn({}, warning);

  const teardown = new Teardown(runtime.log);
  try {
    const claim = await claimDataDir(options.dataDir, runtime);
    teardown.add('claim of the data folder', () => claim.release());
    await removeRuntimeFile(claim.dataDir);
    await serve(
      { ...options, dataDir: claim.dataDir },
      {
        config,
        readConfig: async () => (await read()).config,
        isDemo,
        logFile,
        runtime,
        teardown,
      },
    );
  } finally {
    await teardown.run();
  }
}

interface Run {
  config: Config;
  readConfig: () => Promise<Config>;
  isDemo: boolean;
  logFile: string | null;
  runtime: Runtime;
  teardown: Teardown;
}

async function serve(
  options: RunOptions,
  { config, readConfig, isDemo, logFile, runtime, teardown }: Run,
): Promise<void> {
  const { dataDir, version, dashboardDir, signal } = options;
  const tokens = await resolveTokens(config.auth, dataDir, runtime.ids);
  const common = {
    ...{ config, dataDir, tokens, version, dashboardDir, runtime, signal },
    configFile: options.configFile ?? null,
    instance: instanceName(runtime),
  };
  const coordinator: Coordinator =
    options.workers === 1
      ? await startCoordinator({
          ...{ ...common, readConfig, worker: null },
          demo: isDemo
            ? ({ databaseUrl, cacheUrl }) => {
                const maker = createDriftMaker({ databaseUrl, cacheUrl, runtime });
                teardown.add('drift maker', () => maker.close());
                return maker;
              }
            : null,
        })
      : await startWorkers({
          ...{ ...common, isDemo, cwd: options.cwd, logFile },
          ...{ count: options.workers, program: options.workerProgram },
        });
  teardown.add('coordinator', () => coordinator.stop());
  const { url } = coordinator;
  options.onReload(() => {
    coordinator.reload().catch((error: unknown) => {
      const faults = error instanceof ConfigError ? error.faults : undefined;
      runtime.log.error({ err: error, faults }, 'the configuration was not reloaded');
    });
  });
  if (isDemo) {
    const load = startDemoLoad({
      program: options.demoLoadProgram,
      url,
      token: tokens.service,
      runtime,
    });
    teardown.add('demo load', () => load.stop());
  }
  runtime.log.info({ url, version }, 'serving');
  options.onServing({ url, adminToken: tokens.admin, dataDir, demo: isDemo, logFile });
  await aborted(signal);
  runtime.log.info({}, 'stopping');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
