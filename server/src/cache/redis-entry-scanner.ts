import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { LockstepError } from '../domain/index.ts';
import { connectedMasters, isCluster, isRedisReply, layoutOf, mastersOf } from '../redis/index.ts';
import type { EntryScanner, ScanPage } from './port.ts';
import type { CacheConnection } from './redis-connection.ts';

const RANDOM_BATCH = 200;
/** How many random keys may be drawn for each wanted one, before scans supply the rest. */
const RANDOM_TRIES_PER_KEY = 4;
const SCAN_COUNT = 500;
const MAX_SAMPLE_SCANS = 40;

/** SCAN returns every key, also those that this user may not touch. Such keys are not Lockstep's, and count as gone. */
function goneWhereForbidden(error: unknown): number {
  if (isRedisReply(error) && /^NOPERM.* access .*key/.test(error.message)) return -2;
  throw error;
}

/** Sweeps and samples of the cache's keys by `SCAN` and `RANDOMKEY`. */
export class RedisEntryScanner implements EntryScanner {
  readonly #connection: CacheConnection;

  constructor(connection: CacheConnection) {
    this.#connection = connection;
  }

  async scan(cursor: string | null, count: number): Promise<ScanPage> {
    const { next, names } = await this.#page(cursor, 'COUNT', count);
    const ttls = await this.#connection.run((client) =>
      Promise.all(names.map((name) => client.pttl(name).catch(goneWhereForbidden))),
    );
    const keys = names.flatMap((cacheKey, index) => {
      const ttlMs = ttls[index] ?? -2;
      return ttlMs === -2 ? [] : [{ cacheKey, ttlMs: ttlMs === -1 ? null : ttlMs }];
    });
    return { next, keys };
  }

  async sample(prefix: string, count: number): Promise<string[]> {
    const found = new Set<string>();
    for (
      let drawn = 0;
      drawn < count * RANDOM_TRIES_PER_KEY && found.size < count;
      drawn += RANDOM_BATCH
    ) {
      for (const name of await this.#randomKeys()) {
        if (name?.startsWith(prefix) === true && found.size < count) found.add(name);
      }
    }
    if (found.size < count) await this.#scanInto(found, prefix, count);
    return [...found];
  }

  #randomKeys(): Promise<(string | null)[]> {
    return this.#connection.run((client) => {
      const servers: readonly Pick<Redis, 'randomkey'>[] = isCluster(client)
        ? connectedMasters(client)
        : [client];
      return Promise.all(
        Array.from(
          { length: RANDOM_BATCH },
          async (_, index) => (await servers[index % servers.length]?.randomkey()) ?? null,
        ),
      );
    });
  }

  async #scanInto(found: Set<string>, prefix: string, count: number): Promise<void> {
    const pattern = `${prefix.replace(/[*?[\]\\^-]/g, '\\$&')}*`;
    let cursor: string | null = null;
    for (let page = 0; page < MAX_SAMPLE_SCANS && found.size < count; page += 1) {
      const { next, names } = await this.#page(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
      for (const name of names) if (found.size < count) found.add(name);
      if (next === null) return;
      cursor = next;
    }
  }

  /** One call of SCAN. Of a Cluster, the masters are scanned one after the other. */
  #page(cursor: string | null, ...args: ScanArguments): Promise<NamesPage> {
    return this.#connection.run(async (client) => {
      if (isCluster(client)) return pageOfCluster(client, cursor, args);
      const [next, names] = await scan(client, cursor ?? FIRST, args);
      return { next: next === FIRST ? null : next, names };
    });
  }
}

type ScanArguments = ['COUNT', number] | ['MATCH', string, 'COUNT', number];

interface NamesPage {
  next: string | null;
  names: string[];
}

const FIRST = '0';

/** The pause before all masters are scanned again, and how often they are. */
const AGAIN_PAUSE_MS = 1_000;
const MAX_ROUNDS = 600;

/**
 * A cursor is the master's name, its own cursor, the number of the round, and the layout of the slots when the round
 * began. A key that moves from a master that is not scanned yet to one that was is missed, so all masters are scanned
 * again where slots have moved meanwhile or move now.
 */
async function pageOfCluster(
  cluster: Cluster,
  cursor: string | null,
  args: ScanArguments,
): Promise<NamesPage> {
  const masters = mastersOf(cluster);
  const first = masters[0]?.name ?? '';
  const [name = first, at = FIRST, round = '1', began = (await layoutOf(cluster)).digest] =
    cursor?.split(' ') ?? [];
  const index = masters.findIndex((master) => master.name === name);
  const client = masters[index]?.client;
  if (client === null) throw away('A master of the Redis Cluster is away.');
  // One that is gone has given its slots away.
  if (client === undefined) return again(first, Number(round), '');
  const [next, names] = await scan(client, at, args);
  if (next !== FIRST) return { next: `${name} ${next} ${round} ${began}`, names };
  const following = masters[index + 1];
  if (following !== undefined)
    return { next: `${following.name} ${FIRST} ${round} ${began}`, names };
  const { digest, isMoving } = await layoutOf(cluster);
  if (digest === began && !isMoving) return { next: null, names };
  return { next: (await again(first, Number(round), digest)).next, names };
}

async function again(first: string, round: number, digest: string): Promise<NamesPage> {
  if (round >= MAX_ROUNDS)
    throw away('Slots of the Redis Cluster have been moving for too long to scan it.');
  await sleep(AGAIN_PAUSE_MS);
  return { next: `${first} ${FIRST} ${round + 1} ${digest}`, names: [] };
}

const away = (message: string): LockstepError => new LockstepError('CACHE_UNAVAILABLE', message);

function scan(client: Redis, cursor: string, args: ScanArguments): Promise<[string, string[]]> {
  return args.length === 2 ? client.scan(cursor, ...args) : client.scan(cursor, ...args);
}
