import { dirname, resolve } from 'node:path';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';
import { applyEnvironment, type Environment } from './environment.ts';
import { readConfigFile } from './read-file.ts';
import { resolveConfig } from './resolve.ts';

export interface ConfigSource {
  /** A YAML, JSON or TypeScript file; relative to `cwd`. */
  file?: string | undefined;
  /** Used if no file is given, such as the demo's configuration. */
  raw?: unknown;
  env: Environment;
  cwd: string;
  /** From the command line; overrides everything else. */
  port?: number | undefined;
}

export interface LoadedConfig {
  config: Config;
  /** One line each, for the log. */
  warnings: string[];
}

/**
 * Reads the configuration, applies `LOCKSTEP_*` variables, checks and freezes it.
 * @throws ConfigError with all its faults
 */
export async function loadConfig(source: ConfigSource): Promise<LoadedConfig> {
  const { file, cwd } = source;
  const written = file === undefined ? source.raw : await readConfigFile(file, cwd);
  const { raw, faults, warnings } = await applyEnvironment(written, source.env, cwd);
  const baseDir = file === undefined ? cwd : dirname(resolve(cwd, file));
  const config = await resolveConfig(raw, baseDir).catch((error: unknown) => {
    if (error instanceof ConfigError) throw new ConfigError([...faults, ...error.faults]);
    throw error;
  });
  if (faults.length > 0) throw new ConfigError(faults);
  if (source.port === undefined) return { config, warnings };
  const listen = Object.freeze({ ...config.listen, port: source.port });
  return { config: Object.freeze({ ...config, listen }), warnings };
}
