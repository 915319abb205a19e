/**
 * `ReplicatedSteps` on a Redis Cluster: those of a key go to the master that has its slot, over a connection to that
 * master, so that WAIT speaks for its replicas (X8). A step that the master says is for another one has not happened, and
 * is sent there.
 */
import type { Cluster, Redis } from 'ioredis';
import { LockstepError } from '../domain/index.ts';
import { mastersOf, masterOfKey, type RedisScript } from '../redis/index.ts';
import { Redirected, ReplicatedSteps, type ReplicatedStepsOptions } from './replicated-steps.ts';

const MAX_REDIRECTIONS = 4;

export interface ReplicatedClusterStepsOptions extends Omit<
  ReplicatedStepsOptions,
  'connect' | 'isMember'
> {
  cluster: Cluster;
  /** Opens a connection to a member. @param name `host:port` */
  connect: (name: string) => Redis;
}

export class ReplicatedClusterSteps {
  readonly #script: RedisScript;
  readonly #options: ReplicatedClusterStepsOptions;
  /** By the names of members. */
  readonly #members = new Map<string, ReplicatedSteps>();

  constructor(script: RedisScript, options: ReplicatedClusterStepsOptions) {
    this.#script = script;
    this.#options = options;
  }

  /** As `ReplicatedSteps.run`. */
  async run(key: string, args: readonly (string | number)[]): Promise<unknown> {
    const { cluster, runtime, timeoutMs } = this.#options;
    const untilMs = runtime.clock.nowMs() + timeoutMs;
    let name = masterOfKey(cluster, key);
    let isAsked = false;
    for (let redirections = 0; name !== null && redirections <= MAX_REDIRECTIONS; redirections++) {
      try {
        return await this.#at(name).run(key, args, { isAsked, untilMs });
      } catch (error) {
        if (!(error instanceof Redirected)) throw error;
        name = error.to;
        isAsked = error.isAsk;
      }
    }
    throw new LockstepError('CACHE_UNAVAILABLE', 'No master of the Redis Cluster has the key.');
  }

  #at(name: string): ReplicatedSteps {
    let steps = this.#members.get(name);
    if (steps === undefined) {
      this.#forgetOthers(name);
      const { connect, cluster: _, ...rest } = this.#options;
      steps = new ReplicatedSteps(this.#script, {
        ...rest,
        connect: () => connect(name),
        isMember: true,
      });
      this.#members.set(name, steps);
    }
    return steps;
  }

  /** Those that are no masters any more: after failovers there would be more and more of them. */
  #forgetOthers(name: string): void {
    const masters = new Set(mastersOf(this.#options.cluster).map((master) => master.name));
    for (const [known, steps] of this.#members) {
      if (known === name || masters.has(known)) continue;
      steps.close();
      this.#members.delete(known);
    }
  }
}
