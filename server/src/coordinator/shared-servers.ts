import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { needsSharedServers, SharedServers } from '../checks/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Servers } from './servers.ts';
import type { Teardown } from './teardown.ts';

interface Start {
  config: Config;
  instance: string;
  dataDir: string;
  runtime: Runtime;
}

/** Before anything is read or written through them: no other coordinator of the database uses another cache or lock nodes. */
export async function joinSharedServers(
  { config, instance, dataDir, runtime }: Start,
  { cacheUrl, lockUrls }: Servers,
  { sql }: Database,
  teardown: Teardown,
): Promise<void> {
  if (!needsSharedServers(config)) return;
  const shared = new SharedServers({
    ...{ instance, sql, runtime },
    place: createHash('sha256')
      .update(`${hostname()}\0${dataDir}`)
      .digest('base64url')
      .slice(0, 16),
    servers: {
      ...{ cacheUrl, lockUrls },
      isCacheOwn: config.cache.mode === 'embedded',
      areLocksOwn: config.locks.mode === 'embedded',
    },
  });
  teardown.add('shared servers', () => shared.stop());
  await shared.join();
}
