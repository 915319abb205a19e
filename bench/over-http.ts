/** The same work through Lockstep: one `PATCH` of one column over HTTP. */
import { Client } from 'undici';
import { acknowledged } from './answer.ts';
import type { Contender, Servers } from './contender.ts';
import { KEY_COUNT } from './tables.ts';

/**
 * One kept-alive connection for each caller. Uses undici's lowest level, `dispatch`, because the client runs on the
 * same cores as everything that it measures.
 */
export function openOverHttp(
  servers: Pick<Servers, 'url' | 'serviceToken'>,
  resource: string,
  callers: number,
): Contender {
  const clients = Array.from({ length: callers }, () => new Client(servers.url, { pipelining: 1 }));
  const paths = Array.from(
    { length: KEY_COUNT + 1 },
    (_, key) => `/v1/resources/${resource}/${key}`,
  );
  const headers = [
    'authorization',
    `Bearer ${servers.serviceToken}`,
    'content-type',
    'application/json',
  ];
  return {
    write: (caller, key, value) => {
      const client = clients[caller];
      const path = paths[key];
      if (client === undefined || path === undefined)
        throw new RangeError(`caller ${caller}, key ${key}`);
      return acknowledged(client, { method: 'PATCH', path, headers, body: `{"value":${value}}` });
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
