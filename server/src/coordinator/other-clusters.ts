import { ClusterRegistry } from '../checks/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Servers } from './servers.ts';
import type { Teardown } from './teardown.ts';

interface Start {
  config: Config;
  cluster: string;
  instance: string;
  runtime: Runtime;
}

interface Parts {
  servers: Servers;
  database: Database;
  resources: ReadonlyMap<string, Resource>;
}

/**
 * Before anything is cached: no other cluster on the same Redis has cache keys in common with this one.
 * @throws ConfigError
 */
export async function joinOtherClusters(
  { config, cluster, instance, runtime }: Start,
  { servers: { databaseUrl, cacheUrl, lockUrls }, database: { sql }, resources }: Parts,
  teardown: Teardown,
): Promise<ClusterRegistry> {
  const registry = new ClusterRegistry({
    ...{ config, cluster, instance, runtime, sql, databaseUrl, cacheUrl, lockUrls },
    resources: () => resources.values(),
  });
  teardown.add('other clusters', () => registry.stop());
  const warnings = await registry.join();
  // Beside an external database they were found with the servers.
  if (config.database.mode === 'embedded')
    for (const { path, message } of warnings) runtime.log.warn({ path }, message);
  return registry;
}
