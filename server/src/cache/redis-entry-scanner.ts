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

/**
 * A cursor is the master's number, its own cursor, and the layout of the slots when the scan began. A key that moves from
 * a master that is not scanned yet to one that was is missed, so all masters are scanned again where slots have moved
 * meanwhile or move now.
 */
async function pageOfCluster(
  cluster: Cluster,
  cursor: string | null,
  args: ScanArguments,
): Promise<NamesPage> {
  const [number = '0', at = FIRST, began = (await layoutOf(cluster)).digest] =
    cursor?.split(' ') ?? [];
  const index = Number(number);
  const masters = mastersOf(cluster);
  const master = masters[index];
  if (master?.client === null)
    throw new LockstepError('CACHE_UNAVAILABLE', 'A master of the Redis Cluster is away.');
  const [next, names] = master === undefined ? [FIRST, []] : await scan(master.client, at, args);
  if (next !== FIRST) return { next: `${index} ${next} ${began}`, names };
  if (index < masters.length - 1) return { next: `${index + 1} ${FIRST} ${began}`, names };
  const { digest, isMoving } = await layoutOf(cluster);
  const isWhole = digest === began && !isMoving;
  return { next: isWhole ? null : `0 ${FIRST} ${digest}`, names };
}

function scan(client: Redis, cursor: string, args: ScanArguments): Promise<[string, string[]]> {
  return args.length === 2 ? client.scan(cursor, ...args) : client.scan(cursor, ...args);
}
