export { makeCertificates, SERVER_NAME, type TestCertificates } from './certificates.ts';
export {
  freshDatabase,
  installedClients,
  type DatabaseClient,
  type FreshDatabase,
} from './fresh-database.ts';
export {
  isMysqlInstalled,
  mysqlAccount,
  mysqlProduct,
  mysqlReplication,
  startMysql,
} from './mysql.ts';
export { isPgBouncerInstalled, startPgBouncer, type TestPgBouncerOptions } from './pgbouncer.ts';
export { startPostgres } from './postgres.ts';
export { startRedisCluster, type TestRedisCluster } from './redis-cluster.ts';
export { startRedis, type TestRedis, type TestRedisOptions } from './redis.ts';
export { startSentinelSet, type TestSentinelSet } from './sentinel-set.ts';
export { startMysqlReplica, startStandby, type TestReplica } from './standby.ts';
export type { TestServer } from './test-server.ts';
export { mysqlNumbers } from './mysql-numbers.ts';
