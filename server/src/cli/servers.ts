import { serverUrls } from '../checks/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
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
