import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { COSTS } from './costs.ts';
import { EventQueue } from './event-queue.ts';
import { Station } from './station.ts';

/** The machines and processes of one cluster. There are `clusters` equal ones; a caller chooses one of them by the key. */
export interface Plan {
  name: string;
  requestsPerSecond: number;
  clusters: number;
  /** Of each cluster. */
  workers: number;
  cacheShards: number;
  lockGroups: number;
  databaseCores: number;
  /** The exponent of the Zipf distribution of the keys. */
  zipf: number;
  virtualMs: number;
}

/** The callers. */
const MIX = { keys: 100_000_000, reads: 0.9, strictWrites: 0.05, hits: 0.95 } as const;
const LOCK_NODES = 3;
/** Of the time, for the queues to reach their lengths. Not measured. */
const WARM_UP = 0.25;

export interface Outcome {
  plan: Plan;
  readUs: number[];
  strictUs: number[];
  plainUs: number[];
  /** Of the busiest of each kind, and of all of the kind. */
  utilization: Record<Kind, { busiest: number; mean: number }>;
  /** Requests a second for the key that is asked for most. */
  hottestKeyPerSecond: number;
  finished: number;
  arrived: number;
}

type Kind = 'workers' | 'cache' | 'locks' | 'database';

interface Cluster {
  workers: Station[];
  cache: Station[];
  /** Three each. */
  locks: Station[][];
  database: Station;
}

export function simulate(plan: Plan, seed: number): Outcome {
  return new World(plan, seed).run();
}

class World {
  readonly #plan: Plan;
  readonly #events = new EventQueue();
  readonly #random: SeededRandom;
  readonly #clusters: Cluster[];
  readonly #took = { read: [] as number[], strict: [] as number[], plain: [] as number[] };
  #arrived = 0;
  #finished = 0;
  #hottest = 0;

  constructor(plan: Plan, seed: number) {
    this.#plan = plan;
    this.#random = SeededRandom.of(seed, plan.name);
    const station = (servers: number): Station => new Station(this.#events, this.#random, servers);
    const each = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
    this.#clusters = each(plan.clusters, () => ({
      workers: each(plan.workers, () => station(1)),
      cache: each(plan.cacheShards, () => station(1)),
      locks: each(plan.lockGroups, () => each(LOCK_NODES, () => station(1))),
      database: station(plan.databaseCores),
    }));
  }

  run(): Outcome {
    const endUs = this.#plan.virtualMs * 1_000;
    this.#arrive();
    this.#events.runUntil(endUs);
    const [read, strict, plain] = [this.#took.read, this.#took.strict, this.#took.plain];
    for (const took of [read, strict, plain]) took.sort((a, b) => a - b);
    const of = (stations: Station[]): { busiest: number; mean: number } => {
      const used = stations.map((station) => station.utilization(endUs));
      return {
        busiest: Math.max(...used),
        mean: used.reduce((sum, each) => sum + each, 0) / used.length,
      };
    };
    const all = this.#clusters;
    return {
      plan: this.#plan,
      ...{ readUs: read, strictUs: strict, plainUs: plain },
      utilization: {
        workers: of(all.flatMap(({ workers }) => workers)),
        cache: of(all.flatMap(({ cache }) => cache)),
        locks: of(all.flatMap(({ locks }) => locks.flat())),
        database: of(all.map(({ database }) => database)),
      },
      hottestKeyPerSecond: (this.#hottest / endUs) * 1_000_000,
      ...{ finished: this.#finished, arrived: this.#arrived },
    };
  }

  /** One request, and the next one after an exponential pause: callers do not wait for one another. */
  #arrive(): void {
    const meanUs = 1_000_000 / this.#plan.requestsPerSecond;
    this.#events.after(-Math.log(1 - this.#random.next()) * meanUs, () => {
      this.#request();
      this.#arrive();
    });
  }

  #request(): void {
    const { clusters, cacheShards, lockGroups } = this.#plan;
    const key = this.#key();
    this.#arrived += 1;
    if (key === 1) this.#hottest += 1;
    const cluster = at(this.#clusters, hash(key, 1) % clusters);
    const cache = at(cluster.cache, hash(key, 2) % cacheShards);
    const locks = at(cluster.locks, hash(key, 3) % lockGroups);
    const kind = this.#random.next();
    if (kind < MIX.reads) this.#read(cluster, cache, this.#ended('read'));
    else if (kind < MIX.reads + MIX.strictWrites)
      this.#strictWrite(cluster, cache, locks, this.#ended('strict'));
    else this.#plainWrite(cluster, cache, this.#ended('plain'));
  }

  /** By the client: from the cache, and on a miss through a coordinator from the database. */
  #read({ workers, database }: Cluster, cache: Station, done: () => void): void {
    this.#at(cache, COSTS.redisCommand, () => {
      if (this.#random.next() < MIX.hits) return done();
      this.#at(this.#any(workers), COSTS.coordinatorMiss, () =>
        this.#at(database, COSTS.databaseRead, () => {
          this.#at(cache, COSTS.redisCommand, () => undefined); // the fill
          done();
        }),
      );
    });
  }

  /** Locks by a majority, intent, transaction, publish; the release is not waited for. */
  #strictWrite(
    { workers, database }: Cluster,
    cache: Station,
    locks: Station[],
    done: () => void,
  ): void {
    this.#at(this.#any(workers), COSTS.coordinatorStrictWrite, () => {
      let granted = 0;
      const write = (): void => {
        granted += 1;
        if (granted !== 2) return;
        this.#at(cache, COSTS.redisCommand, () =>
          this.#at(database, COSTS.databaseWrite, () =>
            this.#at(cache, COSTS.redisCommand, () => {
              for (const node of locks) this.#at(node, COSTS.redisCommand, () => undefined);
              done();
            }),
          ),
        );
      };
      for (const node of locks) this.#at(node, COSTS.redisCommand, write);
    });
  }

  /** Transaction, tombstone. */
  #plainWrite({ workers, database }: Cluster, cache: Station, done: () => void): void {
    this.#at(this.#any(workers), COSTS.coordinatorPlainWrite, () =>
      this.#at(database, COSTS.databaseWrite, () => this.#at(cache, COSTS.redisCommand, done)),
    );
  }

  /** There and back. */
  #at(station: Station, costUs: number, done: () => void): void {
    this.#events.after(COSTS.network, () =>
      station.serve(costUs, () => this.#events.after(COSTS.network, done)),
    );
  }

  #ended(kind: 'read' | 'strict' | 'plain'): () => void {
    const beganUs = this.#events.nowUs;
    return () => {
      this.#finished += 1;
      if (beganUs < this.#plan.virtualMs * 1_000 * WARM_UP) return;
      this.#took[kind].push(this.#events.nowUs - beganUs);
    };
  }

  #any(stations: Station[]): Station {
    return at(stations, this.#random.below(stations.length));
  }

  /** A key by its rank, from 1: the inverse of the distribution's integral. */
  #key(): number {
    const power = 1 - this.#plan.zipf;
    const span = MIX.keys ** power - 1;
    return Math.floor((span * this.#random.next() + 1) ** (1 / power));
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`There is nothing at ${index}.`);
  return found;
}

/** Different for each purpose, so that keys of one cluster spread over all of its shards. */
function hash(key: number, purpose: number): number {
  let mixed = (Math.imul(key, 0x9e3779b1) ^ Math.imul(purpose, 0x85ebca6b)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97) >>> 0;
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
