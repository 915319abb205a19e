import { LockstepError } from '../../../server/src/domain/index.ts';
import type { SendToCache } from '../servers/entry-store.ts';
import { type Caller, type Network, Unanswered } from './network.ts';
import type { Server } from './server.ts';
import { TIMING } from './timing.ts';

const TIMEOUTS_TO_DOWN = 3;

/**
 * One process's connection to the cache. Like the real one, it knows whether the cache is available.
 *
 * States: `up` and `down`. `up` -> `down` when the connection is cut or refused, or after some timeouts in a row;
 * `down` -> `up` when a probe is answered. While `down`, steps fail at once.
 */
export class CacheLink {
  readonly #network: Network;
  readonly #server: Server;
  readonly #caller: Caller;
  readonly #repeatable: boolean;
  #up = true;
  #timeoutsInARow = 0;

  /** @param repeatable whether its steps may arrive twice; the client never sends one again */
  constructor(network: Network, server: Server, caller: Caller, repeatable = true) {
    this.#network = network;
    this.#server = server;
    this.#caller = caller;
    this.#repeatable = repeatable;
  }

  get isUp(): boolean {
    return this.#up;
  }

  readonly send: SendToCache = async (name, cacheKey, step) => {
    if (!this.#up) throw away();
    try {
      const answer = await this.#call(name, cacheKey, step);
      this.#timeoutsInARow = 0;
      return answer;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.#timeoutsInARow += 1;
      const isGone = error.why !== 'timeout' || this.#timeoutsInARow >= TIMEOUTS_TO_DOWN;
      if (isGone && this.#up) {
        this.#up = false;
        this.#probeLater();
      }
      throw away(error);
    }
  };

  #call<T>(name: string, about: string, step: () => T): Promise<T> {
    const message = { name, about, timeoutMs: TIMING.cacheCommandMs };
    return this.#network.call(
      this.#caller,
      this.#server,
      { ...message, repeatable: this.#repeatable, ordered: true },
      step,
    );
  }

  #probeLater(): void {
    this.#caller.timeout(TIMING.probeMs, () => {
      this.#call('ping', '', () => 'PONG').then(
        () => {
          this.#timeoutsInARow = 0;
          this.#up = true;
        },
        () => this.#probeLater(),
      );
    });
  }
}

const away = (cause?: unknown): LockstepError =>
  new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.', { cause });
