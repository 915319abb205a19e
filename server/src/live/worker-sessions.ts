/**
 * Sessions of the live stream behind a port that several workers share.
 *
 * A session of socket.io lives in one process, but each of its polling requests, and the change to a websocket, may
 * arrive at any worker. So a session's id ends with the port of its worker's own address, and a request for a session
 * of another worker is passed on to that worker as it came.
 */
import { type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { LiveDoor } from '../edge/index.ts';

export interface OtherWorkers {
  /** The port of this worker's own address. */
  ownPort: () => number | null;
  /** The addresses of all workers. */
  addresses: () => Iterable<string>;
}

/** The id of a session of this worker. @param id unique by itself */
export const sessionId = (id: string, { ownPort }: OtherWorkers): string => `${id}.${ownPort()}`;

/** Passes requests for sessions of other workers on to these. */
export function amongWorkers(door: LiveDoor, others: OtherWorkers): LiveDoor {
  return {
    path: door.path,
    request: (request, response) => {
      const home = homeOf(request, others);
      if (home === null) door.request(request, response);
      else passRequest(home, request, response);
    },
    upgrade: (request, socket, head) => {
      const home = homeOf(request, others);
      if (home === null) door.upgrade(request, socket, head);
      else passUpgrade(home, request, socket, head);
    },
  };
}

/** The worker that has the session of a request; null if that is this one, or not known. */
function homeOf({ url = '' }: IncomingMessage, { ownPort, addresses }: OtherWorkers): URL | null {
  const port = /[?&]sid=[^&]*\.(\d{1,5})(&|$)/.exec(url)?.[1];
  if (port === undefined || port === String(ownPort())) return null;
  // Only to workers that the parent process has named, never to where a request says.
  for (const address of addresses()) {
    const home = new URL(address);
    if (home.port === port) return home;
  }
  return null;
}

function passRequest(home: URL, request: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url: path = '/', rawHeaders } = request;
  const { hostname: host, port } = home;
  const passed = requestHttp({ host, port, method, path, headers: rawHeaders }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  });
  passed.on('error', () => response.destroy());
  response.on('close', () => passed.destroy());
  request.pipe(passed);
}

function passUpgrade(home: URL, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = 'GET', url = '/', rawHeaders } = request;
  const passed = connect(Number(home.port), home.hostname, () => {
    const lines = [`${method} ${url} HTTP/1.1`];
    for (let at = 0; at < rawHeaders.length; at += 2)
      lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
    passed.write(`${lines.join('\r\n')}\r\n\r\n`);
    passed.write(head);
    passed.pipe(socket).pipe(passed);
  });
  passed.on('error', () => socket.destroy());
  passed.on('close', () => socket.destroy());
  socket.on('error', () => passed.destroy());
  socket.on('close', () => passed.destroy());
}
