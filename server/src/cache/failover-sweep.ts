/**
 * Sweeps all entries after the cache, or a part of a Redis Cluster, has failed over, because replication is
 * asynchronous: the new master may lack the last invalidations of the old one, so that entries come back that were gone.
 *
 * States
 *   swept     the master that this process sees was swept since it became the master
 *   unswept   it was not, or is not known to have been: the sweep runs here or in another process, or is tried again
 *
 * What was swept last is stored in the cache itself: the master's run id, and when the sweep began. So the processes of a
 * cluster take turns, one that starts after a failover knows whether it was swept, and a server that lost the key is
 * swept.
 *
 * Invariant: a process that has come from another master counts only a sweep that began after it came. Until then it may
 * have written to the old master, and those changes are lost on the new one.
 */
import { BackgroundLoop } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { SWEPT_KEYS, timeOf } from './cache-probe.ts';
import type { CacheConnection, MasterSeen } from './redis-connection.ts';

const LOOK_EVERY_MS = 250;
/** A sweep that takes longer may be joined by one of another process, which does no harm. */
const TURN_MS = 30_000;

export interface FailoverSweepOptions {
  connection: Pick<CacheConnection, 'up' | 'master' | 'run'>;
  cluster: string;
  /** The cache is a Redis Cluster. */
  isRedisCluster: boolean;
  instance: string;
  /** Removes every entry of the cached resources. */
  sweep: () => Promise<unknown>;
  /** Called after the first sweep that followed a failover, in one process of the cluster. */
  onSwept: () => void;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
}

/** What the cache says about its last sweep. */
interface Swept {
  runId: string;
  /** By the server's clock. */
  beganUs: number;
}

/** Does nothing by itself until `start`. */
export class FailoverSweep {
  readonly #options: FailoverSweepOptions;
  readonly #loop: BackgroundLoop;
  /** The master that was swept. */
  #done: MasterSeen | null = null;
  #isPending = false;

  constructor(options: FailoverSweepOptions) {
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: () => this.#pass(),
      backoff: { minMs: LOOK_EVERY_MS, maxMs: 1_000, jitter: 'equal' },
      onFailure: (error) =>
        options.runtime.log.debug({ err: error }, 'the sweep after a failover begins again'),
      runtime: options.runtime,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Whether a failover of the cache is known, and all entries were not swept since. */
  get isPending(): boolean {
    return this.#isPending;
  }

  async #pass(): Promise<number> {
    const { connection } = this.#options;
    const { master } = connection;
    if (master === null || !connection.up || this.#done === master) return LOOK_EVERY_MS;
    const swept = await this.#lastSweep();
    if (covers(swept, master)) {
      this.#end(master);
      return LOOK_EVERY_MS;
    }
    // A cache that was never swept is new to Sentinels, and has not failed over as far as anybody knows.
    this.#isPending = swept !== null || master.moves > 0;
    if (!(await this.#takeTurn())) return LOOK_EVERY_MS;
    try {
      await this.#inTurn(master);
    } finally {
      await connection.run((client) => client.del(`${this.#key}:turn`)).catch(() => undefined);
    }
    return this.#done === master ? LOOK_EVERY_MS : 0;
  }

  async #inTurn(master: MasterSeen): Promise<void> {
    const { connection, sweep, onSwept, runtime } = this.#options;
    const isFailover = this.#isPending;
    // The process whose turn was before may have swept enough.
    const swept = await this.#lastSweep();
    if (covers(swept, master)) return this.#end(master);
    const beganUs = await this.#nowUs();
    await sweep();
    // Another failover: the sweep may have begun on the old server.
    if (connection.master !== master) return;
    await connection.run((client) => client.set(this.#key, `${master.runId} ${beganUs}`));
    this.#end(master);
    if (!isFailover) return;
    if (swept?.runId !== master.runId) onSwept();
    runtime.log.warn({}, 'swept all entries of cached resources after a failover of the cache');
  }

  #end(master: MasterSeen): void {
    this.#done = master;
    this.#isPending = false;
  }

  async #lastSweep(): Promise<Swept | null> {
    const text = await this.#options.connection.run((client) => client.get(this.#key));
    const [, runId = '', beganUs = ''] = /^(\w+) (\d+)$/.exec(text ?? '') ?? [];
    return runId === '' ? null : { runId, beganUs: Number(beganUs) };
  }

  /** One process of the cluster sweeps at a time. */
  async #takeTurn(): Promise<boolean> {
    const { connection, instance } = this.#options;
    const answer = await connection.run((client) =>
      client.set(`${this.#key}:turn`, instance, 'PX', TURN_MS, 'NX'),
    );
    return answer === 'OK';
  }

  async #nowUs(): Promise<number> {
    return this.#options.connection.run((client) => timeOf(client, this.#key));
  }

  get #key(): string {
    const { cluster, isRedisCluster } = this.#options;
    return isRedisCluster ? `${SWEPT_KEYS}:${cluster}` : `lockstep:swept:${cluster}`;
  }
}

const covers = (swept: Swept | null, master: MasterSeen): boolean =>
  swept?.runId === master.runId && (master.moves === 0 || swept.beganUs >= master.sinceUs);
