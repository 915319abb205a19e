/** What the connection to the cache and those to the lock nodes share. Knows no other folder of the server. */
export { isAboutOneKey, isRedisReply, RedisRefusal, withoutSecrets } from './refusal.ts';
export { evaluate, redisScript, type RedisScript, roleOf } from './script.ts';
