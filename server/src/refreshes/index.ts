export { RedisGenerations } from './redis-generations.ts';
export { RefreshRuns } from './runs.ts';
export { Refreshes } from './service.ts';
