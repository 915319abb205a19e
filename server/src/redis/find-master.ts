/** Asks Sentinels which server is the master. */
import { Redis } from 'ioredis';
import { isRedisReply } from './refusal.ts';
import { withoutBrackets } from './open-redis.ts';
import type { SentinelAddress, SentinelSet } from './server-url.ts';

/** What the Sentinels say about a master. */
export interface Master {
  /** As Node connects to it: an IPv6 address without brackets. */
  host: string;
  port: number;
  /** Counts the failovers: of two masters, the one with the higher number was chosen later. */
  epoch: number;
}

/** What one Sentinel answered. */
export type SentinelAnswer = Master | 'unknown' | Error;

/** No Sentinel names a master. */
export class NoMaster extends Error {
  override readonly name = 'NoMaster';
  /**
   * `unknown`: those that answer do not know the name. `refused`: those that answer refuse to say, or are no Sentinels;
   * `cause` has the reply. `silent`: none answers; `cause` says why.
   */
  readonly why: 'unknown' | 'refused' | 'silent';

  constructor(why: NoMaster['why'], cause?: Error) {
    super('No Sentinel names a master.', { cause });
    this.why = why;
  }
}

export interface FoundMaster {
  master: Master;
  /** In the order of the set. */
  answers: readonly SentinelAnswer[];
}

/**
 * The master that was chosen last, of those that the Sentinels name.
 * @param timeoutMs for each Sentinel
 * @throws NoMaster
 */
export async function findMaster(set: SentinelSet, timeoutMs: number): Promise<FoundMaster> {
  const answers = await Promise.all(
    set.sentinels.map((sentinel) => askOnce(sentinel, set, timeoutMs)),
  );
  const master = latest(answers);
  if (master !== null) return { master, answers };
  if (answers.includes('unknown')) throw new NoMaster('unknown');
  const errors = answers.filter((answer) => answer instanceof Error);
  const refusal = errors.find(isRedisReply);
  throw refusal === undefined
    ? new NoMaster('silent', errors[0])
    : new NoMaster('refused', refusal);
}

/** The master with the highest epoch; null if none is named. */
export function latest(answers: readonly SentinelAnswer[]): Master | null {
  return answers.reduce<Master | null>((best, answer) => {
    if (answer instanceof Error || answer === 'unknown') return best;
    return best === null || answer.epoch > best.epoch ? answer : best;
  }, null);
}

/** A connection to one Sentinel. @param options `retryStrategy` and what else differs */
export function openSentinel(
  { host, port }: SentinelAddress,
  { ofSentinels: { username, password } }: Pick<SentinelSet, 'ofSentinels'>,
  options: { timeoutMs: number; retryStrategy: () => number | null },
): Redis {
  return new Redis({
    ...{ host: withoutBrackets(host), port },
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    lazyConnect: true,
    connectTimeout: options.timeoutMs,
    commandTimeout: options.timeoutMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    retryStrategy: options.retryStrategy,
  });
}

/** Never rejects. */
export async function askSentinel(client: Redis, name: string): Promise<SentinelAnswer> {
  try {
    return masterOf(await client.call('SENTINEL', 'MASTER', name));
  } catch (error) {
    if (isRedisReply(error) && /no such master/i.test(error.message)) return 'unknown';
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function askOnce(
  sentinel: SentinelAddress,
  set: SentinelSet,
  timeoutMs: number,
): Promise<SentinelAnswer> {
  const client = openSentinel(sentinel, set, { timeoutMs, retryStrategy: () => null });
  let reason: Error | null = null;
  client.on('error', (error: Error) => (reason ??= error));
  try {
    await client.connect();
    return await askSentinel(client, set.name);
  } catch (error) {
    // A failed connect only says "Connection is closed."; the event before it says why.
    return reason ?? (error instanceof Error ? error : new Error(String(error)));
  } finally {
    client.disconnect();
  }
}

/** The answer is a list of names and values. @throws Error if it names no address */
function masterOf(answer: unknown): Master {
  const texts = Array.isArray(answer) ? answer.map(String) : [];
  const fields = new Map<string, string>();
  for (let index = 0; index < texts.length; index += 2)
    fields.set(texts[index] ?? '', texts[index + 1] ?? '');
  const [host = '', port = 0] = [fields.get('ip'), Number(fields.get('port') ?? 0)];
  if (host === '' || !(port > 0)) throw new Error('A Sentinel answered without an address.');
  const epoch = Number(fields.get('config-epoch') ?? 0);
  return { host, port, epoch };
}
