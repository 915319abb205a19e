/**
 * The commands that Lockstep sends, in one table. `check` and `start` try each, and `lockstep grants` prints them. A
 * script needs the right to every command in it.
 */
import type { FieldFault } from '@lockstep/shared';
import { isCluster, isRedisReply } from '../redis/index.ts';
import type { CheckResult } from './check-result.ts';
import type { RedisUnderCheck } from './redis-facts.ts';

const KEY = 'lockstep:probe:rights';
const CHANNEL = 'lockstep:live:probe';
const SOON_MS = 1_000;

/** A command as Redis ACL rules name it, and arguments for a call that does no harm and leaves nothing behind. */
type Trial = readonly [command: string, ...args: (string | number)[]];

const COMMON: readonly Trial[] = [
  ['info', 'server'],
  ['role'],
  ['ping'],
  ['script|load', 'return 1'],
  ['eval', 'return 1', 0],
  // No server has this script, so the call fails with NOSCRIPT.
  ['evalsha', '0'.repeat(40), 0],
  ['set', KEY, '', 'PX', SOON_MS],
  ['get', KEY],
  ['exists', KEY],
  ['pexpire', KEY, SOON_MS],
  ['del', KEY],
];

const OF_ENTRIES: readonly Trial[] = [
  ['getex', KEY],
  ['pttl', KEY],
  ['persist', KEY],
  ['time'],
  ['scan', 0, 'COUNT', 1],
  ['randomkey'],
  ['hset', KEY, 'field', ''],
  ['hget', KEY, 'field'],
  ['unlink', KEY],
  ['sadd', KEY, 'member'],
  ['smembers', KEY],
  ['srem', KEY, 'member'],
  ['publish', CHANNEL, ''],
  // These come last, because a connection that subscribes can do nothing else.
  ['subscribe', CHANNEL],
  ['psubscribe', `${CHANNEL}*`],
];

/** Where a resource has the level `local`: its invalidation stream. */
const OF_STREAMS: readonly Trial[] = [
  ['xadd', KEY, 'NOMKSTREAM', '*', 'field', ''],
  ['xrevrange', KEY, '+', '-', 'COUNT', 1],
];

/** Where the cache is a Redis Cluster. */
const OF_CLUSTERS: readonly Trial[] = [
  ['cluster|slots'],
  ['cluster|nodes'],
  ['cluster|info'],
  ['asking'],
];

/** Where replicas are waited for. */
const OF_WAITING: readonly Trial[] = [['wait', 0, 1]];

const TRIALS: Readonly<Record<RedisUnderCheck['role'], readonly Trial[]>> = {
  cache: [...COMMON, ...OF_ENTRIES],
  'lock node': COMMON,
};

/** What decides which commands are sent. */
interface Used extends Pick<RedisUnderCheck, 'hasLocal' | 'waitReplicas'> {
  isRedisCluster: boolean;
}

/** The commands that an account needs on a server in this role. */
export const redisCommands = (
  role: RedisUnderCheck['role'],
  used: Used = { hasLocal: false, waitReplicas: 0, isRedisCluster: false },
): string[] => trialsOf(role, used).map(([command]) => command);

const trialsOf = (
  role: RedisUnderCheck['role'],
  { hasLocal, waitReplicas, isRedisCluster }: Used,
): readonly Trial[] =>
  role === 'lock node'
    ? TRIALS[role]
    : [
        ...(isRedisCluster ? OF_CLUSTERS : []),
        ...(hasLocal ? OF_STREAMS : []),
        ...(waitReplicas > 0 ? OF_WAITING : []),
        ...TRIALS.cache,
      ];

/**
 * Tries every command, and a key of every template. Must be the last check, because it leaves the connection
 * subscribed.
 */
export async function checkRedisRights({
  path,
  role,
  keyPrefixes,
  hasLocal,
  waitReplicas,
  facts,
  client,
}: RedisUnderCheck): Promise<Partial<CheckResult>> {
  if (facts.isSentinel || !facts.isMaster) return {};
  // A member by itself refuses keys of the others: the client of the whole Cluster is asked.
  if (facts.isCluster && !isCluster(client)) return {};
  const call = ([command, ...args]: Trial): Promise<string | null> => {
    const [name = '', ...sub] = command.split('|');
    return refusal(client.call(name, ...sub, ...args));
  };
  const faults: FieldFault[] = [];
  const missing = (what: string, reply: string): void => {
    const message = `does not let this user use ${what} (${reply}); allowed: a user with the rights that lockstep grants prints`;
    faults.push({ path, message });
  };
  const places = role === 'cache' ? keyPrefixes : [];
  for (const prefix of places) {
    const reply = await call(['exists', `${prefix}lockstep-probe`]);
    if (reply?.endsWith('key') === true) missing(`keys that begin with ${prefix}`, reply);
  }
  for (const trial of trialsOf(role, {
    ...{ hasLocal, waitReplicas },
    isRedisCluster: facts.isCluster,
  })) {
    const reply = await call(trial);
    if (reply !== null) missing(trial[0], reply);
  }
  return { faults };
}

/** The server's reply if a right is missing, else null. @throws the driver's error if the server does not answer */
async function refusal(answer: Promise<unknown>): Promise<string | null> {
  try {
    await answer;
    return null;
  } catch (error) {
    if (!isRedisReply(error)) throw error;
    return /^NOPERM/.test(error.message) ? 'NOPERM' + kindOf(error.message) : null;
  }
}

/** The kind of right that is missing, without the arguments that the reply may contain. */
const kindOf = (reply: string): string =>
  /access .*key/.test(reply)
    ? ', of the key'
    : /access .*channel/.test(reply)
      ? ', of the channel'
      : ', of the command';
