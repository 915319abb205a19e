import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { request } from 'undici';

/** An HTTP proxy in front of an instance that loses answers of calls that were carried out. */
export interface LosingProxy {
  url: string;
  /** How many answers were lost. */
  lost(): number;
  close(): Promise<void>;
}

/** Loses the first answer to each call that succeeds: the call is carried out, and its connection then cut. */
export async function startLosingProxy(target: string): Promise<LosingProxy> {
  const seen = new Set<string>();
  let lost = 0;
  const isLost = ({ method, url, headers }: IncomingMessage, status: number): boolean => {
    const call = `${method} ${url} ${String(headers['idempotency-key'])}`;
    // A guard that was granted and not answered holds its key until it runs out: clients do not ask for it again.
    if (status >= 300 || url === '/v1/guards' || seen.has(call)) return false;
    seen.add(call);
    lost += 1;
    return true;
  };
  const server = createServer((incoming, outgoing) => {
    const forward = async (): Promise<void> => {
      const { statusCode, headers, body } = await request(target + incoming.url, {
        method: incoming.method ?? 'GET',
        headers: endToEnd(incoming.headers),
        body: await buffer(incoming),
      });
      const answer = await buffer(body);
      if (isLost(incoming, statusCode)) incoming.socket.destroy();
      else outgoing.writeHead(statusCode, endToEnd(headers)).end(answer);
    };
    forward().catch((error: unknown) => incoming.socket.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost: () => lost,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const HOP_BY_HOP = ['connection', 'content-length', 'host', 'keep-alive', 'transfer-encoding'];

const endToEnd = <T>(headers: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)));
