/**
 * Every check of the servers that a configuration names. `lockstep check` prints the results. `start` makes the same
 * checks before it serves, and refuses with the same lines.
 */
import { isLocal, isStrict } from '../domain/index.ts';
import type { CacheConfig, Config } from '../config/index.ts';
import {
  clusterMember,
  credentialsOf,
  printClusterUrl,
  printSentinelUrl,
  sentinelAddress,
} from '../redis/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { type CheckResult, together } from './check-result.ts';
import { checkClusters } from './cluster-checks.ts';
import { checkDatabase } from './database-checks.ts';
import { encryptionWarnings } from './encryption.ts';
import { checkRedisServers } from './redis-checks.ts';

/** Where the servers are. Null: not checked, because it is embedded and its address is unknown. */
export interface ServerUrls {
  database: string | null;
  cache: string | null;
  locks: readonly string[];
}

/** The addresses of the configuration's external servers, and of a running instance's embedded ones. */
export function serverUrls(
  { database, cache, locks }: Config,
  running: {
    databaseUrl?: string | undefined;
    cacheUrl?: string | undefined;
    lockUrls?: readonly string[];
  } = {},
): ServerUrls {
  return {
    database: database.mode === 'external' ? database.connection : (running.databaseUrl ?? null),
    cache: cache.mode === 'embedded' ? (running.cacheUrl ?? null) : cacheUrl(cache),
    locks: locks.mode === 'external' ? locks.nodes : (running.lockUrls ?? []),
  };
}

function cacheUrl(cache: Exclude<CacheConfig, { mode: 'embedded' }>): string {
  if (cache.mode === 'single') return cache.url;
  if (cache.mode === 'cluster') {
    const { nodes } = cache;
    const credentials = credentialsOf(nodes[0] ?? '');
    return printClusterUrl({ members: nodes.map(clusterMember), ...credentials });
  }
  const { sentinels, name, username, password, database: databaseNumber } = cache;
  return printSentinelUrl({
    ...{ name, username, password, databaseNumber },
    sentinels: sentinels.map(sentinelAddress),
    ofSentinels: credentialsOf(sentinels[0] ?? ''),
  });
}

export async function checkServers(
  config: Config,
  { database, cache, locks }: ServerUrls,
  runtime: Runtime,
): Promise<CheckResult> {
  const hasStrict = config.resources.some(isStrict);
  const hasLocal = config.resources.some(isLocal);
  const templates = config.resources.flatMap(({ cacheKey, invalidates }) => [
    cacheKey,
    ...invalidates,
  ]);
  const keyPrefixes = [...new Set(templates.map((text) => text.replace(/\{[\s\S]*$/, '')))];
  const [ofDatabase, ofRedis] = await Promise.all([
    database === null ? null : checkDatabase(config, database, runtime),
    checkRedisServers(
      { cacheUrl: cache, lockUrls: locks, lockGroupSize: config.locks.groupSize },
      {
        ...{ hasStrict, hasLocal, keyPrefixes },
        waitReplicas: config.cache.waitReplicas,
      },
    ),
  ]);
  const cluster = ofDatabase?.cluster ?? null;
  // A server that is away or wrong has its own line already, and another check would only wait for it again.
  const isSound = ofRedis.faults.length + ofRedis.absent.length === 0;
  const ofClusters =
    cluster !== null && isSound ? await checkClusters(config, cluster, { cache, locks }) : {};
  const warnings = encryptionWarnings(config);
  return together(ofDatabase?.result ?? {}, ofRedis, ofClusters, { warnings });
}
