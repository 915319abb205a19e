import type { CacheConnection } from '../cache/index.ts';
import { ConfigError } from '../config/index.ts';
import { isStrict, type Resource } from '../domain/index.ts';

/**
 * The cache's `maxmemory-policy`; null if the cache does not say. An evicted intent is a lost intent (assumption A3),
 * so `strict` does not run on a cache that may evict keys without expiry. A cache that forbids CONFIG (managed
 * services) is trusted; the documentation says how to set it.
 */
export async function maxmemoryPolicy(cache: CacheConnection): Promise<string | null> {
  // A server that forbids INFO is trusted as well.
  const info = await cache.run((client) => client.info('memory')).catch(() => '');
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null;
}

/** @throws ConfigError if there is a strict resource and the cache may evict intents */
export async function refuseUnsafeCache(
  cache: CacheConnection,
  resources: Iterable<Resource>,
): Promise<void> {
  if (![...resources].some(isStrict) || !cache.up) return;
  const policy = await maxmemoryPolicy(cache);
  if (policy?.startsWith('allkeys-') !== true) return;
  throw new ConfigError([
    {
      path: 'cache',
      message: `has maxmemory-policy ${policy}, which may evict write intents; allowed with strict resources: noeviction or volatile-*`,
    },
  ]);
}
