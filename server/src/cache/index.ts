export type * from './port.ts';
export { CacheConnection } from './redis-connection.ts';
export { RedisEntryScanner } from './redis-entry-scanner.ts';
export { RedisEntryStore } from './redis-entry-store.ts';
export { createSweeper, type Sweeper } from './sweeper.ts';
