import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LockstepError } from '../domain/index.ts';
import { Connections } from './connections.ts';
import { LargeBodies } from './large-bodies.ts';
import { headWithoutUpgrade } from './plain-upgrade.ts';
import { checkHead, MAX_HEADER_LINES } from './request-head.ts';
import { PipelinedRequests } from './pipelined-requests.ts';

/** A slow sender of headers or of a body is cut off; a slow answer is not. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How often Node looks for connections that are over these bounds. */
const TIMEOUT_CHECK_MS = 5_000;
/** Longer than common load balancers keep idle connections, so that they close them first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Room for a key of 2 KB, percent-encoded, in the request line. */
const MAX_HEADER_BYTES = 32 * 1024;
const STALL_MS = 10_000;
const MAX_BODIES_BYTES = 128 * 1024 * 1024;

export interface EdgeOptions {
  /** Answers a request. */
  api: RequestListener;
  /** Answers requests whose path begins with `livePath`, and takes their connections over where they ask for that. */
  live: LiveDoor;
  /** Answers a request that is refused before it reaches `api` or `live`. */
  refuse: (request: IncomingMessage, response: ServerResponse, error: LockstepError) => void;
  /** The same as text, where Node could not read the request: status line, headers and body. */
  refusalText: (error: LockstepError) => string;
  bounds: EdgeBounds;
}

export interface EdgeBounds {
  connections: number;
  /** Bytes of answers that their readers have not taken yet. */
  unsentBytes: number;
  /** Longest body of one request. */
  bodyBytes: number;
  /** Bytes of the large bodies of requests in flight. Default 128 MiB. */
  bodiesBytes?: number;
  /** Default 10 s. */
  stallMs?: number;
}

/** The live stream as the server sees it. */
export interface LiveDoor {
  /** With a slash at its end. */
  path: string;
  request: RequestListener;
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/**
 * The HTTP server in front of everything. It bounds connections, request heads, requests in flight and answers that their
 * readers do not take, and refuses whatever is not well-formed HTTP/1.1 before anything else sees it.
 */
export function createEdge(options: EdgeOptions): Server {
  const { bounds, refuse } = options;
  const pipelined = new PipelinedRequests();
  const connections = new Connections(
    {
      max: bounds.connections,
      unsentBytes: bounds.unsentBytes,
      stallMs: bounds.stallMs ?? STALL_MS,
    },
    { isFree: (socket) => pipelined.isFree(socket) },
  );
  const bodies = new LargeBodies(bounds.bodiesBytes ?? MAX_BODIES_BYTES, bounds.bodyBytes);
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const fault = connections.isRefused(request.socket)
      ? tooMany()
      : (checkHead(request) ?? (bodies.admit(request, response) ? null : tooLarge()));
    if (fault !== null) {
      // Once a request was not understood, what follows it on the connection cannot be trusted either.
      response.shouldKeepAlive = false;
      refuse(request, response, fault);
    } else if (isLive(options.live, request)) options.live.request(request, response);
    else options.api(request, response);
  };
  const written = noteUnsent(connections);
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      requireHostHeader: false,
    },
    (request, response) => {
      response.on('prefinish', written);
      pipelined.take(request, response, serve);
    },
  );
  server.maxHeadersCount = 0; // Node drops none: `checkHead` refuses a request with too many
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  server.on('connection', (socket) => connections.add(socket));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgrade({ ...options, server, pipelined, connections }, request, socket as Socket, head),
  );
  // Without a listener Node would close the connection silently. This server offers no tunnels.
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => undefined);
    const error = new LockstepError('METHOD_NOT_ALLOWED', 'CONNECT is not supported.');
    socket.end(options.refusalText(error));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
    answerFault(pipelined, options.refusalText, error, socket as Socket),
  );
  return server;
}

const tooMany = (): LockstepError =>
  new LockstepError('RATE_LIMITED', 'Too many connections are open to this instance.');

const tooLarge = (): LockstepError =>
  new LockstepError('RATE_LIMITED', 'Too many requests with large bodies are in flight.');

function isLive({ path }: LiveDoor, { url = '' }: IncomingMessage): boolean {
  return url.startsWith(path);
}

/** The kernel takes most answers as soon as they are written. The others are counted until it has taken them. */
function noteUnsent(connections: Connections): (this: ServerResponse) => void {
  return function () {
    const { socket, writableLength } = this;
    if (socket === null || writableLength === 0) return;
    connections.wrote(socket, writableLength);
    this.once('close', () => connections.taken(socket));
  };
}

interface UpgradeOptions {
  live: LiveDoor;
  server: Server;
  pipelined: PipelinedRequests;
  connections: Connections;
}

/**
 * Node hands over each request that asks for another protocol with its bare connection. The live stream takes its own.
 * Every other request is put back in front of what its connection still holds, without the `Upgrade` header, and the
 * server gets the connection again: it then serves an ordinary request, with any method and body.
 */
function upgrade(
  { live, server, pipelined, connections }: UpgradeOptions,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const ignore = (): void => undefined;
  socket.on('error', ignore);
  const isStream =
    isLive(live, request) &&
    request.method === 'GET' &&
    /^websocket$/i.test(request.headers.upgrade ?? '') &&
    !connections.isRefused(socket) &&
    checkHead(request) === null;
  pipelined.whenFree(socket, () => {
    if (!socket.writable) return;
    if (isStream) {
      connections.release(socket);
      live.upgrade(request, socket, head);
      return;
    }
    socket.off('error', ignore);
    socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]));
    server.emit('connection', socket);
  });
}

/** A request that could not be read ends its connection, after the answers to the requests before it. */
function answerFault(
  pipelined: PipelinedRequests,
  refusalText: EdgeOptions['refusalText'],
  error: NodeJS.ErrnoException,
  socket: Socket,
): void {
  if (!socket.writable || error.code === 'ECONNRESET' || error.code === 'EPIPE') {
    socket.destroy();
    return;
  }
  const answer = (): void => {
    if (!socket.writable) return;
    socket.end(refusalText(faultOf(error)), () => socket.destroy());
  };
  const current = pipelined.current(socket);
  if (current === null || current.request.complete) return pipelined.whenFree(socket, answer);
  // The body of the current request could not be read: nothing more comes for it.
  if (current.response.headersSent) socket.destroy();
  else answer();
}

function faultOf({ code }: NodeJS.ErrnoException): LockstepError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const message = `The head of a request is at most ${MAX_HEADER_BYTES} bytes and ${MAX_HEADER_LINES} header lines.`;
      return new LockstepError('HEADERS_TOO_LARGE', message);
    }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new LockstepError('TOO_LARGE', 'The extensions of a chunk are too long.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new LockstepError('REQUEST_TIMEOUT', 'The request was not sent in time.');
    default:
      return new LockstepError('MALFORMED', 'This is not an HTTP/1.1 request.');
  }
}
