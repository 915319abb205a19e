/**
 * A lock node's client as redlock sees it. Redlock sends one command for each lock and node; here the attempts of one
 * moment to acquire go to the node as one command. Every other command goes through unchanged.
 */
import type { Redis } from 'ioredis';
import { evaluate, redisScript } from '../redis/index.ts';
import { Batcher, type Timers } from '../runtime/index.ts';
import acquireScript from './scripts/acquire.lua?raw';

/** A node handles one command at a time, so this bounds how long one command blocks it. */
const MAX_BATCH = 100;

/** Load it on every connection. */
export const ACQUIRE_SCRIPT = redisScript(acquireScript);

interface Attempt {
  lockKey: string;
  token: string;
  ttlMs: string;
}

/** @param redlockSha the hash by which redlock names its own script that acquires a lock */
export function voterOf(
  client: Redis,
  redlockSha: () => string,
  timers: Pick<Timers, 'soon'>,
): Redis {
  const attempts = new Batcher<Attempt, number>({
    timers,
    maxCalls: MAX_BATCH,
    send: (batch) => acquire(client, batch),
  });
  const evalsha = (sha: string, keyCount: number, keysAndArgs: string[]): Promise<unknown> => {
    const [lockKey, token, ttlMs] = keysAndArgs;
    const isAttempt = sha === redlockSha() && keyCount === 1;
    if (!isAttempt || lockKey === undefined || token === undefined || ttlMs === undefined)
      return client.evalsha(sha, keyCount, ...keysAndArgs);
    return attempts.add({ lockKey, token, ttlMs });
  };
  return new Proxy(client, {
    get: (target, name): unknown => (name === 'evalsha' ? evalsha : Reflect.get(target, name)),
  });
}

async function acquire(client: Redis, batch: readonly Attempt[]): Promise<readonly number[]> {
  const granted = await evaluate(
    client,
    ACQUIRE_SCRIPT,
    batch.map(({ lockKey }) => lockKey),
    batch.flatMap(({ token, ttlMs }) => [token, ttlMs]),
  );
  if (!Array.isArray(granted)) throw new TypeError('A lock node did not answer with a list.');
  return granted.map(Number);
}
