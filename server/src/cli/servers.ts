import { openForChecks, serverUrls } from '../checks/index.ts';
import { completeUrl, type Config, ConfigError, loadConfig } from '../config/index.ts';
import { bindResources, type BoundResources, type Database } from '../database/index.ts';
import { readRuntimeFile } from '../embedded/index.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

/**
 * The configuration that a command is about, and where its servers are: the configuration of the file that the command
 * names, else of the instance that runs in the data folder, else the one that `start` would use without a file.
 * @throws ConfigError
 */
export async function configuredServers(
  { config: file, dataDir }: CommonOptions,
  ports: CliPorts,
): Promise<{ config: Config; urls: ReturnType<typeof serverUrls> }> {
  const { env, cwd } = ports;
  const running = await readRuntimeFile(dataDir);
  const named = file ?? running?.['configFile'];
  const source =
    typeof named === 'string'
      ? { file: named }
      : { raw: running?.['demo'] === false ? {} : ports.demoConfig() };
  const { config } = await loadConfig({ ...source, env, cwd });
  return { config, urls: serverUrls(config, running) };
}

/** The database that `--connection` names, else the configured one. @throws ConfigError */
export async function connectionOf(
  { connection }: { connection?: string },
  configured: string | null,
  { cwd }: CliPorts,
): Promise<string | null> {
  return connection === undefined ? configured : completeUrl(connection, '--connection', cwd);
}

/**
 * Opens the database for as long as the task runs, and finds the tables of the configured resources in it.
 * @throws ConfigError where a table does not fit its resource
 */
export async function withResources(
  config: Config,
  url: string,
  ports: CliPorts,
  task: (bound: BoundResources, database: Database) => void | Promise<void>,
): Promise<void> {
  const database = openForChecks(config.database, url, ports.runtime);
  try {
    const bound = await bindResources(config.resources, database.catalog);
    if (bound.faults.length > 0) throw new ConfigError(bound.faults);
    await task(bound, database);
  } finally {
    await database.close();
  }
}
