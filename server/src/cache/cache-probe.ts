/**
 * Whether the cache answers, and by which servers: of one server, of the master that Sentinels name, or of each master
 * of a Cluster.
 */
import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import {
  type ClusterMaster,
  evaluate,
  isCluster,
  isRedisReply,
  KeysBySlot,
  mastersOf,
  type RedisClient,
  RedisRefusal,
  redisScript,
  type RedisScript,
  roleOf,
  withoutSecrets,
} from '../redis/index.ts';

const PROBE_KEY = 'lockstep:probe:entries';
const PROBE_TTL_MS = 1_000;
const TIME = redisScript("return redis.call('TIME')");

/** A server, or the masters of a Cluster together. */
export interface ServerSeen {
  /** New with every start of a server's process, and with every other master of a Cluster. */
  runId: string;
  /** By the clock of the server that has `SWEPT_KEYS`, in µs. */
  nowUs: number;
}

export interface Probed {
  /** Null: nothing takes the server's place, so that nobody asks; or a master of a Cluster is not known yet. */
  server: ServerSeen | null;
  /** Which masters of a Cluster do not answer; null: all do. */
  partFault: string | null;
}

/** Keys that begin so are on one server of a Cluster, with one clock. */
export const SWEPT_KEYS = 'lockstep:{swept}';

export class CacheProbe {
  readonly #client: RedisClient;
  readonly #script: RedisScript;
  readonly #isWatched: boolean;
  readonly #keys = new KeysBySlot(PROBE_KEY);
  /** By name, of the masters of a Cluster: the run id that each had last. */
  #runIds = new Map<string, string>();

  /** @param isWatched whether another server may take this one's place */
  constructor(client: RedisClient, script: RedisScript, isWatched: boolean) {
    this.#client = client;
    this.#script = script;
    this.#isWatched = isWatched;
  }

  /** Rejects where no server can be used. */
  async run(): Promise<Probed> {
    if (isCluster(this.#client)) return this.#runCluster(this.#client);
    const [server] = await Promise.all([
      this.#isWatched ? serverOf(this.#client) : null,
      this.#probe(this.#client, PROBE_KEY),
    ]);
    return { server, partFault: null };
  }

  /** Whether a Cluster has other masters than when it was probed last. */
  hasOtherMasters(): boolean {
    if (!isCluster(this.#client)) return false;
    const names = mastersOf(this.#client).map(({ name }) => name);
    return names.length !== this.#runIds.size || names.some((name) => !this.#runIds.has(name));
  }

  async #runCluster(cluster: Cluster): Promise<Probed> {
    const masters = mastersOf(cluster);
    const runIds = await Promise.allSettled(masters.map((master) => this.#runIdOf(master)));
    const failed = runIds.filter((result) => result.status === 'rejected');
    if (failed.length === runIds.length)
      throw failed[0]?.reason ?? new Error('No member of the Cluster is known.');
    this.#runIds = new Map(
      masters.map(({ name }, index) => {
        const result = runIds[index];
        const now = result?.status === 'fulfilled' ? result.value : undefined;
        return [name, now ?? this.#runIds.get(name) ?? ''];
      }),
    );
    // Without the time, no earlier sweep can be trusted: this process sweeps itself.
    const nowUs = await timeOf(cluster).catch(() => Infinity);
    const known = [...this.#runIds.values()].sort();
    const runId = createHash('sha1').update(known.join()).digest('hex');
    const partFault =
      failed.length === 0
        ? null
        : `${failed.length} of ${masters.length} masters of the Cluster cannot be used: ${reasonOf(failed[0]?.reason)}`;
    // A master that has never answered is not known to be another one later.
    return { server: known.includes('') ? null : { runId, nowUs }, partFault };
  }

  async #runIdOf({ client, slot }: ClusterMaster): Promise<string> {
    if (client === null) throw new Error('It is not connected.');
    const [info] = await Promise.all([
      client.info('server'),
      this.#probe(client, this.#keys.keyIn(slot), passRedirection),
    ]);
    return runIdIn(info);
  }

  async #probe(client: Redis, key: string, failed: (error: unknown) => void = fail): Promise<void> {
    const [role] = await Promise.all([
      roleOf(client),
      evaluate(client, this.#script, [key], [PROBE_TTL_MS]).catch(failed),
      client.getex(key).catch(failed),
    ]);
    if (role !== null && role !== 'master') throw new RedisRefusal(`READONLY it is a ${role}`);
  }
}

/** The clock of the server that has the key, in µs. */
export async function timeOf(client: RedisClient, key = SWEPT_KEYS): Promise<number> {
  const reply = await evaluate(client, TIME, [key], []);
  const [seconds, micros] = Array.isArray(reply) ? reply.map(Number) : [];
  return (seconds ?? 0) * 1_000_000 + (micros ?? 0);
}

async function serverOf(client: Redis): Promise<ServerSeen> {
  const [info, [seconds, micros]] = await Promise.all([client.info('server'), client.time()]);
  return { runId: runIdIn(info), nowUs: Number(seconds) * 1_000_000 + Number(micros) };
}

function fail(error: unknown): never {
  throw error;
}

/** A master of a Cluster whose slot has moved since answers all the same. */
function passRedirection(error: unknown): void {
  if (!isRedisReply(error) || !/^(MOVED|ASK|TRYAGAIN) /.test(error.message)) throw error;
}

const runIdIn = (info: string): string => /^run_id:(\w+)/m.exec(info)?.[1] ?? '';

function reasonOf(error: unknown): string {
  if (error instanceof RedisRefusal) return `it refuses: ${error.message}`;
  return isRedisReply(error)
    ? `it refuses: ${withoutSecrets(error.message)}`
    : 'it does not answer';
}
