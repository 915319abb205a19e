import { type Config, type Environment, loadConfig, type LoadedConfig } from '../config/index.ts';
import { demoConfig, demoInitSql } from '../demo/index.ts';

export interface ConfigurationSource {
  /** Absent: the demo's configuration, or without the demo the defaults. */
  file: string | undefined;
  isDemo: boolean;
  env: Environment;
  cwd: string;
  port: number | undefined;
}

/** Reads the configuration of an instance. @throws ConfigError with all its faults */
export async function readConfiguration(source: ConfigurationSource): Promise<LoadedConfig> {
  const { isDemo, ...rest } = source;
  const loaded = await loadConfig({ ...rest, raw: isDemo ? demoConfig() : {} });
  return { ...loaded, config: withDemoTables(loaded.config, isDemo) };
}

/** The demo brings its own tables, on the embedded database's first start. */
function withDemoTables(config: Config, isDemo: boolean): Config {
  const { database } = config;
  if (!isDemo || database.mode !== 'embedded') return config;
  return { ...config, database: { ...database, initSql: { path: 'demo', text: demoInitSql() } } };
}
