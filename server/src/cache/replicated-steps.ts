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
 *   - no step waits longer than its own timeout before it is sent
 *
 * The connection is one of its own, because Redis answers nothing on a connection while it waits. So the steps are not in
 * order with those on other connections. After a failure the next steps get a new connection: the old one may lead to a
 * server that is no longer the master, or to none.
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
  /** Opens a connection. It must send nothing again by itself, and keep nothing until it is connected. */
  connect: () => Redis;
  /** The server is a member of a Redis Cluster: each step is a command of its own, and may be for another member. */
  isMember?: boolean;
  /** How many replicas must have a step. */
  replicas: number;
  /** Longest time from a step's call until WAIT is answered. A connection that is silent may take as long again. */
  timeoutMs: number;
  runtime: Pick<Runtime, 'clock' | 'timers'>;
}

/** Another member of a Cluster has the key: the step has not happened. */
export class Redirected extends Error {
  override readonly name = 'Redirected';
  /** `host:port` */
  readonly to: string;
  /** Only for this one command. */
  readonly isAsk: boolean;

  constructor(to: string, isAsk: boolean) {
    super(`It is at ${to}.`);
    this.to = to;
    this.isAsk = isAsk;
  }
}

export interface Asked {
  isAsked: boolean;
  untilMs: number;
}

interface SendOptions {
  command: 'eval' | 'evalsha';
  untilMs: number;
}

interface Waiting {
  key: string;
  args: readonly (string | number)[];
  isAsked: boolean;
  untilMs: number;
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
}

/** The calls of one script. */
export class ReplicatedSteps {
  readonly #script: RedisScript;
  readonly #options: ReplicatedStepsOptions;
  #isClosed = false;
  /** Null after a failure, until the next step. */
  #client: Redis | null;
  #waiting: Waiting[] = [];
  #isUnderWay = false;

  constructor(script: RedisScript, options: ReplicatedStepsOptions) {
    this.#script = script;
    this.#options = options;
    this.#client = options.connect();
  }

  /**
   * Runs the script on one key.
   * @param asked by another member of a Cluster: until when the step may take, and whether this one is to be asked
   *   although the slot is not its own
   * @throws LockstepError `CACHE_UNAVAILABLE` if too few replicas have it in time: it may have happened on the master.
   * @throws Redirected if it did not happen, because another member of the Cluster has the key. Else the client's error
   */
  run(key: string, args: Waiting['args'], asked?: Asked): Promise<unknown> {
    const { isAsked, untilMs } = asked ?? { isAsked: false, untilMs: this.#endMs() };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, args, isAsked, untilMs, resolve, reject });
      if (!this.#isUnderWay) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isUnderWay = true;
    while (this.#waiting.length > 0) {
      const steps = this.#waiting.splice(0, MAX_TOGETHER).filter((step) => this.#isInTime(step));
      if (steps.length === 0) continue;
      try {
        const replies = await this.#send(steps);
        for (const [at, { resolve, reject }] of steps.entries()) {
          const reply = replies[at];
          if (reply instanceof Error) reject(reply);
          else resolve(reply);
        }
      } catch (error) {
        if (!(error instanceof LockstepError)) this.#leave();
        for (const { reject } of steps) reject(error);
      }
    }
    this.#isUnderWay = false;
  }

  /** Rejects a step that has waited too long for those before it. */
  #isInTime({ untilMs, reject }: Waiting): boolean {
    if (untilMs > this.#nowMs()) return true;
    reject(tooFew(0, this.#options.replicas));
    return false;
  }

  async #send(steps: readonly Waiting[]): Promise<unknown[]> {
    const { replicas } = this.#options;
    const untilMs = Math.min(...steps.map((step) => step.untilMs));
    const client = await this.#connected(untilMs);
    const send = this.#options.isMember === true ? this.#toMember : this.#withWait;
    const [replies, reached] = await send.call(this, client, steps, {
      ...{ command: 'evalsha', untilMs },
    });
    if (!Array.isArray(replies)) throw new TypeError('The cache did not answer with a list.');
    if (typeof reached === 'number' && reached >= replicas) return replies as unknown[];
    if (replies.every((reply) => !(reply instanceof Redirected))) throw tooFew(reached, replicas);
    return replies.map((reply: unknown) =>
      reply instanceof Redirected ? reply : tooFew(reached, replicas),
    );
  }

  /** The replies of the script, and how many replicas have what it did. */
  async #withWait(
    client: Redis,
    steps: readonly Waiting[],
    { command, untilMs }: SendOptions,
  ): Promise<[replies: unknown, reached: unknown]> {
    const { source, sha } = this.#script;
    const keys = steps.map(({ key }) => key);
    const args = steps.flatMap((step) => step.args);
    const leftMs = Math.max(1, Math.ceil(untilMs - this.#nowMs()));
    // A pipeline is written at once, to one connection.
    const results = await client
      .pipeline()
      .call(command, command === 'eval' ? source : sha, keys.length, ...keys, ...args)
      .call('wait', this.#options.replicas, leftMs)
      .exec();
    const [[failed = null, replies] = [], [unheard = null, reached] = []] = results ?? [];
    if (isUnknownScript(failed) && command === 'evalsha')
      return this.#withWait(client, steps, { command: 'eval', untilMs });
    const error = failed ?? unheard;
    if (error !== null) throw error;
    return [replies, reached];
  }

  /** The same with one command for each step. A step that is for another member has not happened. */
  async #toMember(
    client: Redis,
    steps: readonly Waiting[],
    { command, untilMs }: SendOptions,
  ): Promise<[replies: unknown[], reached: unknown]> {
    const { source, sha } = this.#script;
    const leftMs = Math.max(1, Math.ceil(untilMs - this.#nowMs()));
    const pipeline = client.pipeline();
    for (const { key, args, isAsked } of steps) {
      // It counts for the next command only.
      if (isAsked) pipeline.call('asking');
      pipeline.call(command, command === 'eval' ? source : sha, 1, key, ...args);
    }
    const results = (await pipeline.call('wait', this.#options.replicas, leftMs).exec()) ?? [];
    const [unheard = null, reached] = results.pop() ?? [];
    const ofSteps = steps.map(({ isAsked }) => results.splice(0, isAsked ? 2 : 1).at(-1));
    const unknown = ofSteps.flatMap((result, at) => (isUnknownScript(result?.[0]) ? [at] : []));
    if (unknown.length > 0 && command === 'evalsha') {
      const again = unknown.flatMap((at) => steps[at] ?? []);
      const [replies, now] = await this.#toMember(client, again, { command: 'eval', untilMs });
      for (const [index, at] of unknown.entries()) ofSteps[at] = [null, [replies[index]]];
      if (unheard !== null) throw unheard;
      return [ofSteps.map(replyOf), Math.min(Number(reached), Number(now))];
    }
    if (unheard !== null) throw unheard;
    return [ofSteps.map(replyOf), reached];
  }

  /** Ends it: its connection is closed, and steps that wait are refused. */
  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  /** The connection, ready if it can be in time. */
  async #connected(untilMs: number): Promise<Redis> {
    const { connect, runtime } = this.#options;
    if (this.#isClosed) throw tooFew(0, this.#options.replicas);
    const client = (this.#client ??= connect());
    while (client.status !== 'ready' && this.#nowMs() < untilMs)
      await runtime.timers.sleep(LOOK_EVERY_MS);
    return client;
  }

  #leave(): void {
    this.#client?.disconnect();
    this.#client = null;
  }

  #endMs(): number {
    return this.#nowMs() + this.#options.timeoutMs;
  }

  #nowMs(): number {
    return this.#options.runtime.clock.nowMs();
  }
}

const isUnknownScript = (error: unknown): boolean =>
  isRedisReply(error) && error.message.startsWith('NOSCRIPT');

/** The answer of a script that was sent for one step. */
function replyOf(result: [error: Error | null, reply: unknown] | undefined): unknown {
  const [error, reply] = result ?? [new Error('The cache left out an answer.'), null];
  if (error === null) return Array.isArray(reply) ? (reply[0] as unknown) : reply;
  const [, kind, to = ''] = /^(MOVED|ASK) \d+ (\S+)/.exec(error.message) ?? [];
  return kind === undefined ? error : new Redirected(to, kind === 'ASK');
}

const tooFew = (reached: unknown, replicas: number): LockstepError =>
  new LockstepError(
    'CACHE_UNAVAILABLE',
    `${typeof reached === 'number' ? reached : 0} of ${replicas} replicas of the cache have the write’s intent in time, so a failover could lose it.`,
  );
