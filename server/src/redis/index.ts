/** What the connection to the cache and those to the lock nodes share. Knows no other folder of the server. */
export { isAboutOneKey, isRedisReply, RedisRefusal, withoutSecrets } from './refusal.ts';
export {
  askSentinel,
  findMaster,
  type FoundMaster,
  latest,
  type Master,
  NoMaster,
  openSentinel,
  type SentinelAnswer,
} from './find-master.ts';
export {
  clusterMember,
  isClusterUrl,
  memberUrl,
  namedMember,
  parseClusterUrl,
  printClusterUrl,
} from './cluster-url.ts';
export {
  type ClusterMaster,
  connectedMasters,
  isCluster,
  KeysBySlot,
  layoutOf,
  masterOfKey,
  mastersOf,
  type RedisClient,
  slotOf,
} from './cluster-nodes.ts';
export { clusterArguments, openCluster, openRedis } from './open-redis.ts';
export { evaluate, redisScript, type RedisScript, roleOf } from './script.ts';
export {
  credentialsOf,
  isSentinelUrl,
  parseSentinelUrl,
  printSentinelUrl,
  sentinelAddress,
  serverOfSet,
} from './server-url.ts';
