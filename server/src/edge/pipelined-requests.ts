/**
 * The requests of one connection, one after another.
 *
 * A client may send a thousand requests in one packet without waiting for answers. They are served in order, each after
 * the answer before it is sent. So a connection holds one answer at most, and writes are carried out in the order in
 * which they were sent.
 *
 * States of a connection: `free` (no request in flight), `busy` (one is in flight), `busy` with others waiting.
 * Invariant: a request begins only when every earlier one of its connection is answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** With this many requests waiting, nothing more is read from the connection. */
const PAUSE_AT = 32;
/** More than fit into what was read before the pause: the sender does not speak HTTP. */
const MAX_WAITING = 8_192;

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

interface Connection {
  request: IncomingMessage | null;
  response: ServerResponse | null;
  waiting: (() => void)[];
}

export class PipelinedRequests {
  readonly #connections = new WeakMap<Socket, Connection>();

  /** Serves the request once every earlier one of its connection is answered. */
  take(request: IncomingMessage, response: ServerResponse, serve: Serve): void {
    const { socket } = request;
    const connection = this.#of(socket);
    if (connection.waiting.length > 0 || !isOver(connection.response)) {
      this.#wait(socket, connection, () => begin(connection, request, response, serve));
    } else begin(connection, request, response, serve);
  }

  /** Whether no request of the connection is in flight. */
  isFree(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    return (
      connection === undefined || (connection.waiting.length === 0 && isOver(connection.response))
    );
  }

  /** The request in flight; null where there is none. */
  current(socket: Socket): { request: IncomingMessage; response: ServerResponse } | null {
    const { request = null, response = null } = this.#connections.get(socket) ?? {};
    return request === null || response === null || isOver(response) ? null : { request, response };
  }

  /** Runs once every request so far is answered. It never runs if the connection closes before that. */
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
    // The time limit was for the answer before this one.
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

/** Sent to the last byte, as far as this process knows, or given up. */
const isOver = (response: ServerResponse | null): boolean =>
  response === null || response.writableFinished || response.destroyed;
