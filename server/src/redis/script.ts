import { createHash } from 'node:crypto';
import type { RedisClient } from './cluster-nodes.ts';
import { isRedisReply } from './refusal.ts';

/** A Lua script as Redis takes it. */
export interface RedisScript {
  source: string;
  /** SHA-1 of the source, by which Redis knows the script. */
  sha: string;
}

/** The first line makes a replica refuse the script, even where the script would change nothing. */
export function redisScript(body: string): RedisScript {
  const source = `#!lua\n${body}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** Runs a script by its hash, and sends the source where the server does not have the script. */
export async function evaluate(
  client: RedisClient,
  { source, sha }: RedisScript,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isRedisReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.eval(source, keys.length, ...keys, ...args);
  }
}

/** Null where the server refuses to say; a probe that writes shows it too. */
export async function roleOf(client: RedisClient): Promise<string | null> {
  try {
    const [role] = await client.role();
    return String(role);
  } catch (error) {
    if (isRedisReply(error)) return null;
    throw error;
  }
}
