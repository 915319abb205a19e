/**
 * The connection to the cache, with its availability.
 *
 * States: `up` and `down`. `up` -> `down` when the connection closes or `TIMEOUTS_TO_DOWN` commands in a row get no
 * answer; `down` -> `up` when a probe is answered. While `down`, commands fail at once: a hanging cache costs each
 * caller nothing, instead of one timeout each.
 */
import { Redis } from 'ioredis';
import { LockstepError } from '../domain/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { type Script, STEPS } from './scripts.ts';

const TIMEOUTS_TO_DOWN = 3;
const PROBE_INTERVAL_MS = 200;

export interface CacheConnectionOptions {
  url: string;
  /** Bound on one command's answer. */
  commandTimeoutMs: number;
  runtime: Runtime;
}

export class CacheConnection {
  readonly client: Redis;
  readonly #runtime: Runtime;
  #up = false;
  #upSinceMs = Infinity;
  #closed = false;
  #timeoutsInARow = 0;
  #probe: Timer | null = null;

  constructor({ url, commandTimeoutMs, runtime }: CacheConnectionOptions) {
    this.#runtime = runtime;
    this.client = new Redis(url, {
      commandTimeout: commandTimeoutMs,
      connectTimeout: commandTimeoutMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableAutoPipelining: true,
      // Scripts go in rounds of their own.
      autoPipeliningIgnoredCommands: ['evalsha', 'eval', 'ping'],
      retryStrategy: () => PROBE_INTERVAL_MS,
    });
    this.client.on('ready', () => this.#connected());
    this.client.on('close', () => this.#markDown('the connection is closed'));
    this.client.on('error', (error: Error) =>
      runtime.log.debug({ err: error }, 'cache connection error'),
    );
  }

  get up(): boolean {
    return this.#up;
  }

  /** When it came up last, by the monotonic clock. */
  get upSinceMs(): number {
    return this.#upSinceMs;
  }

  /** Resolves when the cache answers, or rejects after `timeoutMs`. */
  async ready(timeoutMs: number): Promise<void> {
    const deadlineMs = this.#runtime.clock.nowMs() + timeoutMs;
    while (!this.#up) {
      if (this.#runtime.clock.nowMs() > deadlineMs) throw unavailable();
      await this.#runtime.timers.sleep(20);
    }
  }

  /** Sends one command, or several in one pipeline. Errors of the connection become `CACHE_UNAVAILABLE`; others pass. */
  async run<T>(send: (client: Redis) => Promise<T>): Promise<T> {
    if (!this.#up) throw unavailable();
    try {
      const answer = await send(this.client);
      this.#timeoutsInARow = 0;
      return answer;
    } catch (error) {
      if (isTimeout(error)) this.#noteTimeout();
      throw this.failure(error);
    }
  }

  /** What a failed command says to its caller: what Redis refused passes, all else is `CACHE_UNAVAILABLE`. */
  failure(error: unknown): Error {
    return isReply(error) ? error : unavailable(error);
  }

  /** Runs a script by its hash, sending the source where the cache does not know it (any more). */
  async script(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.run(async (client) => {
      try {
        return await client.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (!isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return client.eval(script.source, keys.length, ...keys, ...args);
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#up = false;
    this.#probe?.cancel();
    this.client.disconnect();
  }

  #connected(): void {
    // Not awaited: they are on the wire before any command that needs them. A step that has to be sent again with its
    // source is overtaken by those after it.
    for (const { source } of Object.values(STEPS)) {
      this.client
        .script('LOAD', source)
        .catch((error: unknown) =>
          this.#runtime.log.debug({ err: error }, 'a script was not loaded'),
        );
    }
    this.#markUp();
  }

  #markUp(): void {
    this.#timeoutsInARow = 0;
    if (!this.#up) this.#runtime.log.info({}, 'the cache answers');
    this.#upSinceMs = this.#runtime.clock.nowMs();
    this.#up = true;
  }

  #markDown(reason: string): void {
    if (this.#up && !this.#closed) this.#runtime.log.warn({ reason }, 'the cache does not answer');
    this.#up = false;
  }

  #noteTimeout(): void {
    this.#timeoutsInARow += 1;
    if (this.#timeoutsInARow < TIMEOUTS_TO_DOWN || !this.#up) return;
    this.#markDown('commands time out');
    this.#scheduleProbe();
  }

  #scheduleProbe(): void {
    this.#probe = this.#runtime.timers.after(PROBE_INTERVAL_MS, () => {
      if (this.#closed || this.#up) return;
      this.client.ping().then(
        () => this.#markUp(),
        () => this.#scheduleProbe(),
      );
    });
  }
}

const unavailable = (cause?: unknown): LockstepError =>
  new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.', { cause });

/** An error that Redis itself answered: the command was received and refused. */
function isReply(error: unknown): error is Error {
  return (
    error instanceof Error &&
    error.name === 'ReplyError' &&
    !/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|OOM|MISCONF|NOAUTH|TRYAGAIN|BUSY)/.test(
      error.message,
    )
  );
}

const isTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('timed out');
