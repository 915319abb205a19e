export type * from './config.ts';
export { ConfigError, formatFault, withoutCredentials } from './config-error.ts';
export type { Environment } from './environment.ts';
export { type ConfigSource, type LoadedConfig, loadConfig } from './load.ts';
export { parseYaml } from './read-file.ts';
export { completeUrl } from './resolve-tls.ts';
export { formatDuration } from './settings.ts';
export { resolveTokens, type Tokens } from './tokens.ts';
