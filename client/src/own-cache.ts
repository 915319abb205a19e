import { ComputedLeases } from './computed-leases.ts';
import { DirectReads } from './direct-reads.ts';
import type { CachePort } from './ports.ts';
import type { RedisConnection } from './redis-connection.ts';

/**
 * The cache of a running client. The build `controls` replaces this module by `testkit/controls/broken-cache.ts`
 * (`client/vite.config.ts`), which breaks one protection.
 */
export const ownCache = (connection: RedisConnection): CachePort => ({
  connection,
  reads: new DirectReads(connection),
  leases: new ComputedLeases(connection),
});
