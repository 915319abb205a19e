export type * from './port.ts';
export { FailoverSweep } from './failover-sweep.ts';
export { CacheConnection } from './redis-connection.ts';
export { RedisEntryScanner } from './redis-entry-scanner.ts';
export { RedisEntryStore } from './redis-entry-store.ts';
export { invalidateMatching } from './invalidate-matching.ts';
export { Sweeper } from './sweeper.ts';
export { InvalidationStreams } from './invalidation-streams.ts';
export { sweepEntries, type SweepTarget } from './sweep-entries.ts';
