/**
 * One lock node as redlock asks it for its votes. What redlock sends for one lock and node, an attempt to acquire, goes
 * together with all others of the moment; every other command goes as it is.
 */
import type { Redis } from 'ioredis';
import { Rounds, type Timers } from '../runtime/index.ts';
import { evaluate, lockScript } from './redis-script.ts';
import acquireScript from './scripts/acquire.lua?raw';

/** Bound on the locks of one command: it holds its node up for so long. */
const MAX_ROUND = 100;

/** To be loaded on every connection. */
export const ACQUIRE_SCRIPT = lockScript(acquireScript);

/** The two methods of a client that redlock uses. */
export interface Voter {
  evalsha(sha: string, keyCount: number, keysAndArgs: string[]): Promise<unknown>;
  eval(source: string, keyCount: number, keysAndArgs: string[]): Promise<unknown>;
}

interface Attempt {
  lockKey: string;
  token: string;
  ttlMs: string;
}

/** @param redlockSha by which redlock names its script that acquires */
export function voterOf(
  client: Redis,
  redlockSha: () => string,
  timers: Pick<Timers, 'soon'>,
): Voter {
  const attempts = new Rounds<Attempt, number>({
    timers,
    maxCalls: MAX_ROUND,
    send: (round) => acquire(client, round),
  });
  return {
    evalsha: (sha, keyCount, keysAndArgs) => {
      const [lockKey, token, ttlMs] = keysAndArgs;
      const isAttempt = sha === redlockSha() && keyCount === 1;
      if (!isAttempt || lockKey === undefined || token === undefined || ttlMs === undefined)
        return client.evalsha(sha, keyCount, ...keysAndArgs);
      return attempts.add({ lockKey, token, ttlMs });
    },
    eval: (source, keyCount, keysAndArgs) => client.eval(source, keyCount, ...keysAndArgs),
  };
}

async function acquire(client: Redis, round: readonly Attempt[]): Promise<readonly number[]> {
  const granted = await evaluate(
    client,
    ACQUIRE_SCRIPT,
    round.map(({ lockKey }) => lockKey),
    round.flatMap(({ token, ttlMs }) => [token, ttlMs]),
  );
  if (!Array.isArray(granted)) throw new TypeError('A lock node answered no list to a round.');
  return granted.map(Number);
}
