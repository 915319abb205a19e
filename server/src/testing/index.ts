export {
  freshDatabase,
  installedClients,
  type DatabaseClient,
  type FreshDatabase,
} from './databases.ts';
export { isMariaDbInstalled, startMariaDb } from './mariadb.ts';
export { startPostgres } from './postgres.ts';
export { startRedis, type TestRedis, type TestRedisOptions } from './redis.ts';
export { startMariaDbReplica, startStandby, type TestReplica } from './standby.ts';
export type { TestServer } from './test-server.ts';
