export type * from './port.ts';
export { RedisGenerations } from './redis-generations.ts';
export { createRefreshRuns } from './runs.ts';
export { createRefreshService, type RefreshServiceOptions } from './service.ts';
