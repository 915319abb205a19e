/**
 * The requests of one connection, one after another.
 *
 * A client may send a thousand requests in one packet without waiting for answers. They are served in their order, the
 * next one when the answer before it is out: so each connection holds one answer at most, and a write that was sent
 * after another one is carried out after it.
 *
 * States of a connection: `free` (no request under way), `busy` (one is), `busy` with others waiting.
 * Invariant: a request begins only when every earlier one of its connection is answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Waiting requests from which on nothing more is read from a connection. */
const PAUSE_AT = 32;
/** More than fit in what was read before the pause: who sends them does not speak HTTP. */
const MAX_WAITING = 8_192;

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

interface Connection {
  request: IncomingMessage | null;
  response: ServerResponse | null;
  waiting: (() => void)[];
}

export class RequestTurns {
  readonly #connections = new WeakMap<Socket, Connection>();

  /** Serves the request when its turn has come. */
  take(request: IncomingMessage, response: ServerResponse, serve: Serve): void {
    const { socket } = request;
    const connection = this.#of(socket);
    if (connection.waiting.length > 0 || !isOver(connection.response)) {
      this.#wait(socket, connection, () => begin(connection, request, response, serve));
    } else begin(connection, request, response, serve);
  }

  /** Whether no request of the connection is under way. */
  isFree(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    return (
      connection === undefined || (connection.waiting.length === 0 && isOver(connection.response))
    );
  }

  /** The request under way; null where there is none. */
  current(socket: Socket): { request: IncomingMessage; response: ServerResponse } | null {
    const { request = null, response = null } = this.#connections.get(socket) ?? {};
    return request === null || response === null || isOver(response) ? null : { request, response };
  }

  /** Runs once every request so far is answered; never where the connection is closed before. */
  whenFree(socket: Socket, run: () => void): void {
    if (this.isFree(socket)) return run();
    this.#wait(socket, this.#of(socket), run);
  }

  #of(socket: Socket): Connection {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      connection = { request: null, response: null, waiting: [] };
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  #wait(socket: Socket, connection: Connection, run: () => void): void {
    const { waiting, response } = connection;
    waiting.push(run);
    if (waiting.length === 1) response?.once('close', () => this.#next(socket, connection));
    if (waiting.length === PAUSE_AT) socket.pause();
    if (waiting.length > MAX_WAITING) socket.destroy();
  }

  #next(socket: Socket, connection: Connection): void {
    const { waiting } = connection;
    if (socket.destroyed) {
      waiting.length = 0;
      return;
    }
    // A bound on the answer before this one says nothing of the wait for this one.
    socket.setTimeout(0);
    while (waiting.length > 0 && isOver(connection.response)) waiting.shift()?.();
    if (waiting.length > 0)
      connection.response?.once('close', () => this.#next(socket, connection));
    if (waiting.length < PAUSE_AT && socket.isPaused()) socket.resume();
  }
}

function begin(
  connection: Connection,
  request: IncomingMessage,
  response: ServerResponse,
  serve: Serve,
): void {
  connection.request = request;
  connection.response = response;
  serve(request, response);
}

/** Given out to the last byte, as far as this process can tell, or given up. */
const isOver = (response: ServerResponse | null): boolean =>
  response === null || response.writableFinished || response.destroyed;
