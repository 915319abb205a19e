/**
 * Which server the Sentinels call the master.
 *
 * States: stopped -> asking (all Sentinels, every ASK_EVERY_MS) -> stopped.
 *
 * Invariants
 *   - a master is replaced by one that was chosen later, never by an earlier one: a Sentinel that was cut off from the
 *     others goes on naming the old master. Only if a majority of the Sentinels name earlier ones do they count, because
 *     somebody has then set the Sentinels up again
 *   - only Sentinels of the configuration are asked
 */
import type { Redis, RedisOptions } from 'ioredis';
import {
  askSentinel,
  latest,
  type Master,
  openSentinel,
  parseSentinelUrl,
  type SentinelAnswer,
} from '../redis/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';

const ASK_EVERY_MS = 1_000;
const TIMEOUT_MS = 1_000;
const RECONNECT_MS = 1_000;

export interface MasterWatchOptions {
  /** Of a set of Sentinels. */
  url: string;
  /** Called while the Sentinels name another server than the one that the followed client connected to last. */
  onMoved: () => void;
  runtime: Pick<Runtime, 'timers'>;
}

/** Does nothing by itself until `start`. */
export class MasterWatch {
  readonly #options: MasterWatchOptions;
  readonly #name: string;
  readonly #clients: readonly Redis[];
  #present: Master | null = null;
  /** The address that the followed client connected to last. */
  #followedTo: string | null = null;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(options: MasterWatchOptions) {
    this.#options = options;
    const set = parseSentinelUrl(options.url);
    this.#name = set.name;
    this.#clients = set.sentinels.map((sentinel) => {
      const retryStrategy = (): number => RECONNECT_MS;
      const client = openSentinel(sentinel, set, { timeoutMs: TIMEOUT_MS, retryStrategy });
      // A Sentinel that does not answer is left out.
      client.on('error', () => undefined);
      return client;
    });
  }

  start(): void {
    for (const client of this.#clients) client.connect().catch(() => undefined);
    this.#askLater();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const client of this.#clients) client.disconnect();
  }

  /** Options of a client that connects to the present master, and whose address is remembered. One client only. */
  following(): RedisOptions {
    return {
      natMap: (named) => {
        this.#followedTo = this.#present === null ? named : addressOf(this.#present);
        return this.#known();
      },
    };
  }

  /** Options of a client that connects to the present master. */
  redirecting(): RedisOptions {
    return { natMap: () => this.#known() };
  }

  /** Null: what the Sentinel that the client asks names. */
  #known(): { host: string; port: number } | null {
    return this.#present === null ? null : { host: this.#present.host, port: this.#present.port };
  }

  #askLater(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.runtime.timers.after(ASK_EVERY_MS, () => {
      void this.#ask().then(() => this.#askLater());
    });
  }

  /** Never rejects. */
  async #ask(): Promise<void> {
    const answers = await Promise.all(
      this.#clients.map((client) => askSentinel(client, this.#name)),
    );
    if (this.#isClosed) return;
    this.#present = masterAfter(this.#present, answers);
    const { onMoved } = this.#options;
    const present = this.#present === null ? null : addressOf(this.#present);
    if (present !== null && this.#followedTo !== null && present !== this.#followedTo) onMoved();
  }
}

/** The master that counts after these answers. */
export function masterAfter(
  before: Master | null,
  answers: readonly SentinelAnswer[],
): Master | null {
  const named = latest(answers);
  if (named === null || before === null || named.epoch >= before.epoch) return named ?? before;
  const naming = answers.filter((answer) => !(answer instanceof Error) && answer !== 'unknown');
  return naming.length > answers.length / 2 ? named : before;
}

const addressOf = ({ host, port }: Master): string => `${host}:${port}`;
