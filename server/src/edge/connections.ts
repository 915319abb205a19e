/**
 * The open connections and what they have not taken yet.
 *
 * Invariants
 *   - At most `max` connections are open. One more takes the place of one that has no request under way; where each has
 *     one, its first request is answered 429 and it is closed.
 *   - At most `unsentBytes` of answers wait for their readers; beyond, the connections that leave most are cut.
 *   - A connection that takes nothing of an answer for `stallMs` is cut.
 */
import type { Socket } from 'node:net';

export interface ConnectionBounds {
  /** Open connections. */
  max: number;
  /** Bytes of answers that their readers have not taken yet, in all connections. */
  unsentBytes: number;
  /** How long a reader may take nothing of an answer. */
  stallMs: number;
}

interface ConnectionFacts {
  /** No request of it is under way. */
  isFree: (socket: Socket) => boolean;
}

/** Connections over the bound that are told so; others are cut without a word. */
const MAX_REFUSED = 64;
/** How long one of those may take to send its request. */
const REFUSED_MS = 2_000;
/** Free connections that make room together: looking for them costs a look at all. */
const ROOM_AT_ONCE = 16;
/** The share of the bound that cutting leaves, so that it is not done for each answer anew. */
const LEFT_AFTER_CUT = 0.75;

export class Connections {
  readonly #bounds: ConnectionBounds;
  readonly #facts: ConnectionFacts;
  /** In the order in which they came. */
  readonly #open = new Set<Socket>();
  readonly #refused = new Set<Socket>();
  /** What the reader of a connection had not taken when its answer was written. */
  readonly #slow = new Map<Socket, number>();
  #unsentBytes = 0;

  constructor(bounds: ConnectionBounds, facts: ConnectionFacts) {
    this.#bounds = bounds;
    this.#facts = facts;
  }

  get size(): number {
    return this.#open.size;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** A connection that has come, or that is handed back after its request turned out to be a plain one. */
  add(socket: Socket): void {
    if (this.#open.has(socket) || this.#refused.has(socket)) return;
    if (this.#open.size >= this.#bounds.max) this.#makeRoom();
    if (this.#open.size >= this.#bounds.max) return this.#refuse(socket);
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#taken(socket);
    });
  }

  /** Whether the connection is one too many, whose requests are answered so. */
  isRefused(socket: Socket): boolean {
    return this.#refused.size > 0 && this.#refused.has(socket);
  }

  /** The connection belongs to somebody else from now on, who bounds it. */
  release(socket: Socket): void {
    this.#open.delete(socket);
    this.#taken(socket);
  }

  /** An answer was written of which `bytes` wait for the reader. */
  wrote(socket: Socket, bytes: number): void {
    this.#unsentBytes += bytes - (this.#slow.get(socket) ?? 0);
    this.#slow.set(socket, bytes);
    // Node looks at what the reader takes meanwhile, and begins anew where that is anything.
    socket.setTimeout(this.#bounds.stallMs);
    if (this.#unsentBytes > this.#bounds.unsentBytes) this.#cutSlowest();
  }

  /** The reader has taken its answer. */
  taken(socket: Socket): void {
    if (this.#slow.size > 0) this.#taken(socket);
  }

  #taken(socket: Socket): void {
    this.#unsentBytes -= this.#slow.get(socket) ?? 0;
    this.#slow.delete(socket);
  }

  #refuse(socket: Socket): void {
    if (this.#refused.size >= MAX_REFUSED) {
      socket.destroy();
      return;
    }
    this.#refused.add(socket);
    socket.setTimeout(REFUSED_MS);
    socket.once('close', () => this.#refused.delete(socket));
  }

  /** Free connections of the address that has most of them go, the oldest first. */
  #makeRoom(): void {
    const free = new Map<string, Socket[]>();
    for (const socket of this.#open) {
      if (!this.#facts.isFree(socket)) continue;
      const address = socket.remoteAddress ?? '';
      const others = free.get(address);
      if (others === undefined) free.set(address, [socket]);
      else others.push(socket);
    }
    const most = [...free.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
    for (const socket of most.slice(0, Math.min(ROOM_AT_ONCE, Math.ceil(most.length / 4)))) {
      this.#open.delete(socket);
      socket.destroy();
    }
  }

  #cutSlowest(): void {
    // What has been taken since an answer was written no longer counts.
    for (const socket of this.#slow.keys()) {
      const bytes = socket.writableLength;
      this.#unsentBytes += bytes - (this.#slow.get(socket) ?? 0);
      this.#slow.set(socket, bytes);
    }
    const most = [...this.#slow].sort(([, a], [, b]) => b - a);
    for (const [socket] of most) {
      if (this.#unsentBytes <= this.#bounds.unsentBytes * LEFT_AFTER_CUT) return;
      this.#taken(socket);
      socket.destroy();
    }
  }
}
