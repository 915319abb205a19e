import { serverUrls } from '../checks/index.ts';
import type { Config } from '../config/index.ts';
import { startEmbedded, type EmbeddedServers } from '../embedded/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** Where the database, the cache and the lock nodes are. */
export interface Servers {
  databaseUrl: string;
  cacheUrl: string;
  lockUrls: readonly string[];
  /** Null if every server is external. */
  embedded: EmbeddedServers | null;
}

export interface ServersOptions {
  config: Config;
  dataDir: string;
  runtime: Runtime;
  signal: AbortSignal;
  onProcessesChanged: () => void;
}

/** Starts the embedded servers. Returns the addresses of all servers. */
export async function provideServers(options: ServersOptions): Promise<Servers> {
  const { config, dataDir, runtime, signal, onProcessesChanged } = options;
  const { database, cache, locks } = config;
  const needsEmbedded = [database.mode, cache.mode, locks.mode].includes('embedded');
  const embedded = needsEmbedded
    ? await startEmbedded({
        dataDir,
        ...(database.mode === 'embedded' ? { database: { initSql: database.initSql?.text } } : {}),
        cache: cache.mode === 'embedded',
        lockNodes: locks.mode === 'embedded' ? locks.nodeCount : 0,
        lockTtlMs: locks.ttlMs,
        runtime,
        signal,
        onProcessesChanged,
      })
    : null;
  const urls = serverUrls(config, embedded ?? {});
  if (urls.database === null || urls.cache === null)
    throw new Error('An embedded server has no address.');
  return { databaseUrl: urls.database, cacheUrl: urls.cache, lockUrls: urls.locks, embedded };
}
