/**
 * Steps that no failover of the cache takes back: each is answered only once so many replicas have it (`WAIT`).
 *
 * States
 *   idle      the next step is sent at once
 *   waiting   a WAIT is under way; steps that come meanwhile gather, and are sent together when it ends
 *
 * Invariants
 *   - X8: a step and its WAIT go over one connection. WAIT speaks for what its own connection has written: on another one,
 *     perhaps to a master that was promoted in between, it would say that the replicas have everything of a server that
 *     never had the step
 *   - a step whose connection is lost before WAIT has answered counts as failed
 *
 * The connection is one of its own, because Redis answers nothing on a connection while it waits. So the steps are not in
 * order with those on other connections.
 */
import type { Redis } from 'ioredis';
import { LockstepError } from '../domain/index.ts';
import { isRedisReply, type RedisScript } from '../redis/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** How many steps share a WAIT. */
const MAX_TOGETHER = 100;
/** How often a connection that is being opened is looked at. */
const LOOK_EVERY_MS = 5;

export interface ReplicatedStepsOptions {
  /** Opens the connection. It must send nothing again by itself, and keep nothing until it is connected. */
  connect: () => Redis;
  /** How many replicas must have a step. */
  replicas: number;
  /** Longest wait for the replicas, and for the connection. */
  timeoutMs: number;
  runtime: Pick<Runtime, 'clock' | 'timers'>;
}

interface Waiting {
  key: string;
  args: readonly (string | number)[];
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
}

/** The calls of one script. */
export class ReplicatedSteps {
  readonly #script: RedisScript;
  readonly #options: ReplicatedStepsOptions;
  readonly #client: Redis;
  #waiting: Waiting[] = [];
  #isUnderWay = false;

  constructor(script: RedisScript, options: ReplicatedStepsOptions) {
    this.#script = script;
    this.#options = options;
    this.#client = options.connect();
  }

  /**
   * Runs the script on one key.
   * @throws LockstepError `CACHE_UNAVAILABLE` if too few replicas have it in time: it may have happened on the master.
   *   Else the client's error
   */
  run(key: string, args: Waiting['args']): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, args, resolve, reject });
      if (!this.#isUnderWay) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isUnderWay = true;
    while (this.#waiting.length > 0) {
      const steps = this.#waiting.splice(0, MAX_TOGETHER);
      try {
        const replies = await this.#send(steps);
        for (const [at, { resolve, reject }] of steps.entries()) {
          const reply = replies[at];
          if (reply instanceof Error) reject(reply);
          else resolve(reply);
        }
      } catch (error) {
        for (const { reject } of steps) reject(error);
      }
    }
    this.#isUnderWay = false;
  }

  async #send(steps: readonly Waiting[]): Promise<unknown[]> {
    await this.#connected();
    const { replicas } = this.#options;
    const [replies, reached] = await this.#withWait(steps, 'evalsha');
    if (typeof reached !== 'number' || reached < replicas) throw tooFew(Number(reached), replicas);
    if (!Array.isArray(replies)) throw new TypeError('The cache did not answer with a list.');
    return replies as unknown[];
  }

  /** The replies of the script, and how many replicas have what it did. */
  async #withWait(
    steps: readonly Waiting[],
    command: 'eval' | 'evalsha',
  ): Promise<[replies: unknown, reached: unknown]> {
    const { replicas, timeoutMs } = this.#options;
    const { source, sha } = this.#script;
    const keys = steps.map(({ key }) => key);
    const args = steps.flatMap((step) => step.args);
    // A pipeline is written at once, to one connection.
    const results = await this.#client
      .pipeline()
      .call(command, command === 'eval' ? source : sha, keys.length, ...keys, ...args)
      .call('wait', replicas, timeoutMs)
      .exec();
    const [[failed = null, replies] = [], [unheard = null, reached] = []] = results ?? [];
    if (isUnknownScript(failed) && command === 'evalsha') return this.#withWait(steps, 'eval');
    const error = failed ?? unheard;
    if (error !== null) throw error;
    return [replies, reached];
  }

  async #connected(): Promise<void> {
    const { clock, timers } = this.#options.runtime;
    const untilMs = clock.nowMs() + this.#options.timeoutMs;
    while (this.#client.status !== 'ready' && clock.nowMs() < untilMs)
      await timers.sleep(LOOK_EVERY_MS);
  }
}

const isUnknownScript = (error: unknown): boolean =>
  isRedisReply(error) && error.message.startsWith('NOSCRIPT');

const tooFew = (reached: number, replicas: number): LockstepError =>
  new LockstepError(
    'CACHE_UNAVAILABLE',
    `${reached} of ${replicas} replicas of the cache have the write’s intent in time, so a failover could lose it.`,
  );
