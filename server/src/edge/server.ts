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
import { RequestTurns } from './request-turns.ts';

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
  /** Answers a request that is refused before it reaches either. */
  refuse: (request: IncomingMessage, response: ServerResponse, error: LockstepError) => void;
  /** The text of such an answer where Node could not read the request: status line, headers and body. */
  refusalText: (error: LockstepError) => string;
  bounds: EdgeBounds;
}

export interface EdgeBounds {
  connections: number;
  /** Bytes of answers that their readers have not taken yet. */
  unsentBytes: number;
  /** Longest body of one request. */
  bodyBytes: number;
  /** Bytes of the bodies of requests under way that are not small. Default 128 MiB. */
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
 * The HTTP server in front of everything: it bounds connections, heads, requests under way and answers that nobody
 * takes, and refuses what is no orderly HTTP/1.1 before anything looks at it.
 */
export function createEdge(options: EdgeOptions): Server {
  const { bounds, refuse } = options;
  const turns = new RequestTurns();
  const connections = new Connections(
    {
      max: bounds.connections,
      unsentBytes: bounds.unsentBytes,
      stallMs: bounds.stallMs ?? STALL_MS,
    },
    { isFree: (socket) => turns.isFree(socket) },
  );
  const bodies = new LargeBodies(bounds.bodiesBytes ?? MAX_BODIES_BYTES, bounds.bodyBytes);
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const fault = connections.isRefused(request.socket)
      ? tooMany()
      : (checkHead(request) ?? (bodies.admit(request, response) ? null : tooLarge()));
    if (fault !== null) {
      // What follows on a connection whose requests are not understood is not to be trusted either.
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
      turns.take(request, response, serve);
    },
  );
  server.maxHeadersCount = 0; // none is dropped: `checkHead` refuses where there are too many
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  server.on('connection', (socket) => connections.add(socket));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgrade({ ...options, server, turns, connections }, request, socket as Socket, head),
  );
  // Node sends these with no listener's help where there is none; a tunnel is nothing that this server offers.
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => undefined);
    const error = new LockstepError('METHOD_NOT_ALLOWED', 'CONNECT is not supported.');
    socket.end(options.refusalText(error));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
    answerFault(turns, options.refusalText, error, socket as Socket),
  );
  return server;
}

const tooMany = (): LockstepError =>
  new LockstepError('RATE_LIMITED', 'Too many connections are open to this instance.');

const tooLarge = (): LockstepError =>
  new LockstepError('RATE_LIMITED', 'Requests with large bodies are under way, as many as may be.');

function isLive({ path }: LiveDoor, { url = '' }: IncomingMessage): boolean {
  return url.startsWith(path);
}

/** Most answers are in the kernel's hands as soon as they are written; the others are counted until they are. */
function noteUnsent(connections: Connections): (this: ServerResponse) => void {
  return function () {
    const { socket, writableLength } = this;
    if (socket === null || writableLength === 0) return;
    connections.wrote(socket, writableLength);
    this.once('close', () => connections.taken(socket));
  };
}

interface UpgradeParts {
  live: LiveDoor;
  server: Server;
  turns: RequestTurns;
  connections: Connections;
}

/**
 * Node hands every request that wishes for another protocol over with its bare connection. Those of the live stream go
 * on there. Any other one is put back in front of what its connection still holds, without the wish, and the
 * connection is given to the server once more: it then is an ordinary request, whatever its method and body.
 */
function upgrade(
  { live, server, turns, connections }: UpgradeParts,
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
  turns.whenFree(socket, () => {
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

/** A request that could not be read ends its connection, after the answers to those before it. */
function answerFault(
  turns: RequestTurns,
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
  const current = turns.current(socket);
  if (current === null || current.request.complete) return turns.whenFree(socket, answer);
  // Its own body is what could not be read: nothing more comes for it.
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
      return new LockstepError('MALFORMED', 'This is no HTTP/1.1 request.');
  }
}
