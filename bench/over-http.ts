/** The work as a service asks Lockstep for it: one `PATCH` of one column over HTTP. */
import { Client, type Dispatcher } from 'undici';
import type { Contender, Servers } from './contender.ts';
import { KEY_COUNT } from './tables.ts';

/**
 * One kept-alive connection for each caller, as a pool of that size has. `dispatch` is undici's lowest level; the
 * client shares the cores with everything that it measures.
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
      return new Promise((resolve, reject) => {
        const request = { method: 'PATCH' as const, path, headers, body: `{"value":${value}}` };
        client.dispatch(request, new Acknowledgement(resolve, reject));
      });
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** Waits for one answer: 200 acknowledges the write; anything else is an error with the answer's text. */
class Acknowledgement implements Dispatcher.DispatchHandler {
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #status = 0;
  #text = '';

  constructor(resolve: () => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {
    // nothing to do before the answer, but undici tells old and new handlers apart by this method
  }

  onResponseStart(_controller: unknown, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#status !== 200) this.#text += chunk.toString();
  }

  onResponseEnd(): void {
    if (this.#status === 200) this.#resolve();
    else this.#reject(new Error(`answered ${this.#status}: ${this.#text.slice(0, 500)}`));
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#reject(error);
  }
}
