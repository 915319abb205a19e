import type { Redis } from 'ioredis';
import type { RedisFacts } from './redis-facts.ts';

/** A server that answers, and what is asked of it. */
export interface RedisUnderCheck {
  /** Where the configuration names it. */
  path: string;
  role: 'cache' | 'lock node';
  /** Whether any resource is `strict`. */
  hasStrict: boolean;
  /** With what the cache keys of the resources begin. */
  keyPrefixes: readonly string[];
  facts: RedisFacts;
  client: Redis;
}
