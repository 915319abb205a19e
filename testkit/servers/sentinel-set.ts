import { Redis } from 'ioredis';
import { eventually } from '../poll.ts';
import { startRedis, type TestRedis } from './redis.ts';

/** A master with two replicas on this machine, and three Sentinels that watch them. */
export interface TestSentinelSet {
  /** By which the Sentinels know the master. */
  readonly name: string;
  /** The master and its replicas, with the password in their URLs; which of them is the master changes. */
  readonly servers: readonly TestRedis[];
  /** With their password in their URLs. */
  readonly sentinels: readonly TestRedis[];
  /** Of the servers, not of the Sentinels. */
  readonly password: string;
  /** The server that a majority of the Sentinels calls the master. */
  master(): Promise<TestRedis>;
  stop(): Promise<void>;
}

const NAME = 'main';
const PASSWORD = 'of-the-servers';
const SENTINEL_PASSWORD = 'of-the-sentinels';
const SENTINELS = 3;
const REPLICAS = 2;
const DOWN_AFTER_MS = 1_000;
const FAILOVER_TIMEOUT_MS = 3_000;
const READY = { withinMs: 60_000, everyMs: 100 };

export async function startSentinelSet(): Promise<TestSentinelSet> {
  const started: TestRedis[] = [];
  const start = async (options: Parameters<typeof startRedis>[0]): Promise<TestRedis> => {
    const server = await startRedis(options);
    started.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    const first = await startServer(start, null);
    const replicas = [];
    for (let n = 0; n < REPLICAS; n++) replicas.push(await startServer(start, first.port));
    const servers = [first, ...replicas];
    const sentinels: TestRedis[] = [];
    for (let n = 0; n < SENTINELS; n++) {
      const sentinel = sentinelFile(first.port);
      sentinels.push(await start({ sentinel, password: SENTINEL_PASSWORD }));
    }
    for (const { url } of sentinels) await eventually(() => knowsAll(url), READY);
    const master = (): Promise<TestRedis> => masterOf(servers, sentinels);
    return { name: NAME, password: PASSWORD, servers, sentinels, master, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Each of them may become the master, so all have the same settings. */
const startServer = (
  start: (options: Parameters<typeof startRedis>[0]) => Promise<TestRedis>,
  masterPort: number | null,
): Promise<TestRedis> =>
  start({
    password: PASSWORD,
    args: [
      ...['--masterauth', PASSWORD, '--repl-diskless-sync-delay', '0'],
      ...(masterPort === null ? [] : ['--replicaof', '127.0.0.1', String(masterPort)]),
    ],
  });

const sentinelFile = (masterPort: number): string =>
  [
    `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} ${Math.floor(SENTINELS / 2) + 1}`,
    `sentinel auth-pass ${NAME} ${PASSWORD}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} ${FAILOVER_TIMEOUT_MS}`,
    '',
  ].join('\n');

/** Only a Sentinel that knows the others and the replicas takes part in a failover. */
async function knowsAll(url: string): Promise<void> {
  const facts = await askSentinel(url);
  const others = facts.get('num-other-sentinels');
  const replicas = facts.get('num-slaves');
  if (others !== String(SENTINELS - 1) || replicas !== String(REPLICAS))
    throw new Error(`A Sentinel knows ${others} others and ${replicas} replicas`);
}

async function masterOf(
  servers: readonly TestRedis[],
  sentinels: readonly TestRedis[],
): Promise<TestRedis> {
  const answers = await Promise.allSettled(sentinels.map(({ url }) => askSentinel(url)));
  const ports = answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? [Number(answer.value.get('port'))] : [],
  );
  const master = servers.find(
    ({ port }) => ports.filter((named) => named === port).length > sentinels.length / 2,
  );
  if (master === undefined) throw new Error('The Sentinels name no common master');
  return master;
}

async function askSentinel(url: string): Promise<Map<string, string>> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const answer = await client.call('SENTINEL', 'MASTER', NAME);
    const texts = Array.isArray(answer) ? answer.map(String) : [];
    const pairs = texts.flatMap((text, index): [string, string][] =>
      index % 2 === 0 ? [[text, texts[index + 1] ?? '']] : [],
    );
    return new Map(pairs);
  } finally {
    client.disconnect();
  }
}
