/**
 * The open connections and what they have not taken yet.
 *
 * Invariants
 *   - At most `max` connections are open. One more takes the place of a connection that has no request in flight. If all
 *     have one, the new connection's first request is answered 429 and the connection is closed.
 *   - At most `unsentBytes` of answers wait for their readers. Beyond that, the connections with most of them are cut.
 *   - A connection whose reader takes nothing of an answer for `stallMs` is cut.
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

interface ConnectionsOptions {
  /** No request of the connection is in flight. */
  isFree: (socket: Socket) => boolean;
}

/** Connections over the bound that get a refusal. Others are cut without one. */
const MAX_REFUSED = 64;
/** How long one of those may take to send its request. */
const REFUSED_MS = 2_000;
/** Free connections that are closed at once: to find them, all connections must be looked at. */
const ROOM_AT_ONCE = 16;
/** Cutting stops at this share of the bound, so that the next answer does not start it again. */
const LEFT_AFTER_CUT = 0.75;

export class Connections {
  readonly #bounds: ConnectionBounds;
  readonly #options: ConnectionsOptions;
  /** The oldest first. */
  readonly #open = new Set<Socket>();
  readonly #refused = new Set<Socket>();
  /** Bytes of an answer that its reader had not taken when it was written. */
  readonly #slow = new Map<Socket, number>();
  #unsentBytes = 0;

  constructor(bounds: ConnectionBounds, options: ConnectionsOptions) {
    this.#bounds = bounds;
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Adds a new connection, or one that is handed back because its request asks for no other protocol after all. */
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

  /** Whether the connection is one too many: its requests are refused. */
  isRefused(socket: Socket): boolean {
    return this.#refused.size > 0 && this.#refused.has(socket);
  }

  /** Hands the connection over to an owner that bounds it from now on. */
  release(socket: Socket): void {
    this.#open.delete(socket);
    this.#taken(socket);
  }

  /** An answer was written of which `bytes` wait for the reader. */
  wrote(socket: Socket, bytes: number): void {
    this.#unsentBytes += bytes - (this.#slow.get(socket) ?? 0);
    this.#slow.set(socket, bytes);
    // Node restarts this time limit whenever the reader takes something.
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

  /** Closes free connections of the address that has most of them, the oldest first. */
  #makeRoom(): void {
    const free = new Map<string, Socket[]>();
    for (const socket of this.#open) {
      if (!this.#options.isFree(socket)) continue;
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
