import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A script of ours on the lock nodes. */
export interface LockScript {
  source: string;
  sha: string;
}

/** The first line has a replica refuse it also where it would change nothing: a replica has no vote. */
export function lockScript(body: string): LockScript {
  const source = `#!lua\n${body}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** Runs it by its hash; with its source where the node has lost its scripts. */
export async function evaluate(
  client: Redis,
  { source, sha }: LockScript,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.eval(source, keys.length, ...keys, ...args);
  }
}
