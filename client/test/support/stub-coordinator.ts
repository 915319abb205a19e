import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Catalog, CatalogResource } from '@lockstep/shared/for-clients';

export interface StubAnswer {
  status?: number;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** A program at the coordinator's address that answers what a test says. */
export interface StubCoordinator {
  url: string;
  /** The bodies of the calls of each path, in their order. */
  asked: { method: string; path: string; body: unknown; headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

export const stubResource = (changes: Partial<CatalogResource> = {}): CatalogResource => ({
  ...{ name: 'account', kind: 'rows', policy: 'strict', level: 'redis', format: 'entry' },
  key: [{ name: 'id', type: 'bigint', text: 'whole' }],
  ...{ cacheKey: 'account:{id}', owner: 'c1/account#0123456789ab', isReadable: true },
  ...{ isStrict: true, isPositioned: false, rows: 'account' },
  ...changes,
});

export const stubCatalog = (changes: Partial<Catalog> = {}): Catalog => ({
  ...{ cluster: 'c1', cacheId: 'cache-1', hasReplicas: false, resources: [stubResource()] },
  limits: { batchOperations: 100, bodyBytes: 100_000, transactionOperations: 100 },
  ...changes,
});

/** @param answer what it answers; undefined: it never answers. The catalog is answered unless it does. */
export async function startStub(
  answer: (path: string, body: unknown) => StubAnswer | undefined | Promise<StubAnswer | undefined>,
  catalog: () => Catalog = stubCatalog,
): Promise<StubCoordinator> {
  const asked: StubCoordinator['asked'] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const { method = '', url: path = '', headers } = request;
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      const isCatalog = path === '/v1/resources';
      if (!isCatalog) asked.push({ method, path, body, headers });
      const said = isCatalog ? { body: catalog() } : await answer(path, body);
      if (said === undefined) return;
      response.writeHead(said.status ?? 200, {
        'content-type': 'application/json',
        ...said.headers,
      });
      response.end(typeof said.body === 'string' ? said.body : JSON.stringify(said.body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
