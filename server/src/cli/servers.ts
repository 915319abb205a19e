import type { ServerUrls } from '../checks/index.ts';
import { type Config, type DatabaseConfig, loadConfig } from '../config/index.ts';
import { openDatabase, type Database } from '../database/index.ts';
import { readRuntimeFile, type RuntimeInfo } from '../embedded/index.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

/**
 * The configuration that a command is about: that of the file it names, else that of the instance which runs in the
 * data folder, else the one that `start` would use without a file.
 * @throws ConfigError
 */
export async function configOf(options: CommonOptions, ports: CliPorts): Promise<Config> {
  const { env, cwd } = ports;
  const source =
    options.config === undefined ? await runningSource(options, ports) : { file: options.config };
  return (await loadConfig({ ...source, env, cwd })).config;
}

async function runningSource(
  { dataDir }: CommonOptions,
  ports: CliPorts,
): Promise<{ file: string } | { raw: unknown }> {
  const running: Partial<RuntimeInfo> = (await readRuntimeFile(dataDir)) ?? {};
  const { configFile, demo } = running;
  if (typeof configFile === 'string') return { file: configFile };
  return { raw: demo === false ? {} : ports.demoConfig() };
}

/** Of external servers the configuration's URLs, of embedded ones those of the instance that runs in the data folder. */
export async function serverUrls(config: Config, dataDir: string): Promise<ServerUrls> {
  const { database, cache, locks } = config;
  const running: Partial<RuntimeInfo> = (await readRuntimeFile(dataDir)) ?? {};
  return {
    database: database.mode === 'external' ? database.connection : (running.databaseUrl ?? null),
    cache:
      cache.mode === 'single'
        ? cache.url
        : cache.mode === 'embedded'
          ? (running.cacheUrl ?? null)
          : null,
    locks: locks.mode === 'external' ? locks.nodes : (running.lockUrls ?? []),
  };
}

/** A database of one connection, for a command's own work. */
export function openForCommand(
  config: DatabaseConfig,
  connection: string,
  ports: CliPorts,
): Database {
  return openDatabase({
    client: config.client,
    connection,
    pool: { min: 0, max: 2 },
    statementTimeoutMs: config.statementTimeoutMs,
    acquireTimeoutMs: config.acquireTimeoutMs,
    timeZone: config.timeZone,
    runtime: ports.runtime,
  });
}
