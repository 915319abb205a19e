import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import type { Member } from '../../server/src/routing/index.ts';
import { memberNamed, type RouterSettings, testRouter } from './router.ts';
import type { ApiOptions } from '../../server/src/api/ports.ts';
import { type ApiServer, SERVICE_TOKEN, startApi } from './api-server.ts';

const ends: (() => Promise<void> | void)[] = [];

/** Ends what was started here, the last first. */
export async function endNodes(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

/** Where nothing listens any more. */
export async function startRefusing(): Promise<string> {
  const { url } = await startSilent();
  await ends.pop()?.();
  return url;
}

/** An instance that knows nobody. */
export async function startLonely(settings: RouterSettings = {}): Promise<ApiServer> {
  const { router, close } = testRouter(settings);
  const api = await startApi({ routing: router });
  ends.push(() => api.close(), close);
  return api;
}

export const leaving = (member: Member): Member => ({ ...member, isLeaving: true });

export interface Node {
  api: ApiServer;
  settle: () => Promise<void>;
}

/** One instance with a view of its own. */
export async function startNode(
  settings: RouterSettings & { members: () => Member[] },
  parts: Partial<ApiOptions> = {},
): Promise<Node> {
  const { router, settle, close } = testRouter(settings);
  const api = await startApi({ routing: router, ...parts });
  await settle();
  ends.push(() => api.close(), close);
  return { api, settle };
}

/** `here`, by whose view every key is at home at `url`. */
export function startHere(
  url: () => string,
  settings: Partial<RouterSettings> = {},
): Promise<Node> {
  return startNode({
    mode: 'forward',
    members: () => [
      leaving(memberNamed('here', 'http://here.test', true)),
      memberNamed('there', url()),
    ],
    ...settings,
  });
}

/** `there`, home of every key by its own view too. */
export const startThere = (parts: Partial<ApiOptions> = {}): Promise<Node> =>
  startNode(
    { instance: 'there', members: () => [memberNamed('there', 'http://there.test', true)] },
    parts,
  );

export async function startPair(
  settings: Partial<RouterSettings> = {},
  parts: Partial<ApiOptions> = {},
): Promise<{ here: ApiServer; there: ApiServer }> {
  const { api: there } = await startThere(parts);
  const { api: here } = await startHere(() => there.url, settings);
  return { here, there };
}

/** A PUT with headers that a client library would not send; the answer as it came. */
export async function sendRaw(
  url: string,
  path: string,
  headers: Record<string, string>,
): Promise<string> {
  const { hostname, port, host } = new URL(url);
  const body = '{"owner":"ann"}';
  const lines = Object.entries({
    ...{ Host: host, Authorization: `Bearer ${SERVICE_TOKEN}`, 'Content-Type': 'application/json' },
    ...{ 'Content-Length': String(body.length), ...headers },
  }).map(([name, value]) => `${name}: ${value}`);
  const socket = connect(Number(port), hostname);
  ends.push(() => void socket.destroy());
  socket.write(`PUT ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
  for await (const chunk of socket) return String(chunk);
  return '';
}

interface Silent {
  url: string;
  received: () => string;
  /** Closes all connections. */
  hangUp: () => void;
}

/** Takes connections and what is sent, and never answers. */
export async function startSilent(): Promise<Silent> {
  let text = '';
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the caller gives up
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  ends.push(() => {
    hangUp();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, received: () => text, hangUp };
}

/** Answers every request with the same lines and body. */
export async function startSaying(lines: readonly string[], body: string): Promise<string> {
  const head = [...lines, `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close'];
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(`${head.join('\r\n')}\r\n\r\n${body}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
