/**
 * Sockets that have not shown a token yet.
 *
 * The protocol keeps state for a socket from its first request on, but the token comes only in a later message. So
 * everything about sockets without a token is bounded: how often an address may connect, how many sockets wait in all
 * and of one address, how long each may take, and how many messages it may send.
 *
 * Invariants: at most MAX_WAITING sockets wait, MAX_WAITING_PER_ADDRESS of one address; one more closes the oldest of its
 * address, so that a new socket that does have a token is let in.
 */
import type { Runtime } from '../runtime/index.ts';

/** A socket that has not shown a token yet. */
export interface Waiting {
  readonly remoteAddress: string;
  /** Ends it at once. */
  close(discard: true): unknown;
}

const MAX_WAITING = 64;
const MAX_WAITING_PER_ADDRESS = 16;
const WINDOW_MS = 1_000;
const BEGUN_PER_WINDOW = 200;
const BEGUN_PER_WINDOW_AND_ADDRESS = 20;
/** Messages of a socket before it has shown its token; it needs one, and a few to change its transport. */
const MAX_MESSAGES = 16;

/** How long a socket may take to show its token. */
export const TOKEN_WITHIN_MS = 5_000;

export class Handshakes {
  readonly #clock: Runtime['clock'];
  /** In the order of their arrival, with the number of their messages so far. */
  readonly #waiting = new Map<Waiting, number>();
  #windowSinceMs = -Infinity;
  #begun = 0;
  readonly #begunBy = new Map<string, number>();

  constructor(clock: Runtime['clock']) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether an address may open one more socket now; counts it. */
  mayBegin(address: string): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowSinceMs >= WINDOW_MS) {
      this.#windowSinceMs = nowMs;
      this.#begun = 0;
      this.#begunBy.clear();
    }
    const own = this.#begunBy.get(address) ?? 0;
    if (this.#begun >= BEGUN_PER_WINDOW || own >= BEGUN_PER_WINDOW_AND_ADDRESS) return false;
    this.#begun += 1;
    this.#begunBy.set(address, own + 1);
    return true;
  }

  /** A socket has connected. */
  add(socket: Waiting): void {
    const same = [...this.#waiting.keys()].filter(
      ({ remoteAddress }) => remoteAddress === socket.remoteAddress,
    );
    if (same.length >= MAX_WAITING_PER_ADDRESS) this.#end(same[0]);
    else if (this.#waiting.size >= MAX_WAITING) this.#end([...this.#waiting.keys()][0]);
    this.#waiting.set(socket, 0);
  }

  /** A socket has sent a message. */
  heard(socket: Waiting): void {
    const messages = this.#waiting.get(socket);
    if (messages === undefined) return;
    if (messages >= MAX_MESSAGES) this.#end(socket);
    else this.#waiting.set(socket, messages + 1);
  }

  /** The socket has shown its token, or is gone. */
  remove(socket: Waiting): void {
    this.#waiting.delete(socket);
  }

  #end(socket: Waiting | undefined): void {
    if (socket === undefined) return;
    this.#waiting.delete(socket);
    socket.close(true);
  }
}
