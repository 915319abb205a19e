import type { CacheConnection } from '../cache/index.ts';
import { ConfigError } from '../config/index.ts';
import { isStrict, type Resource } from '../domain/index.ts';

/**
 * An evicted intent is a lost intent (assumption A3): `strict` does not run on a cache that may evict keys without
 * expiry. A cache that forbids CONFIG (managed services) is believed; the documentation says what it must be set to.
 */
export async function maxmemoryPolicy(cache: CacheConnection): Promise<string | null> {
  // A server that forbids INFO is believed as well.
  const info = await cache.run((client) => client.info('memory')).catch(() => '');
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null;
}

/** @throws ConfigError where a strict resource stands on a cache that may evict intents */
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
