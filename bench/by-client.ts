/** The work as a service asks `@lockstep/client` for it: one `patch` of one column. */
import { createClient } from '@lockstep/client';
import type { Contender, Servers } from './contender.ts';

/** @param idempotencyKeys whether each write carries one, as by default; by hand there is none */
export function openByClient(
  { url, serviceToken, cacheUrl }: Pick<Servers, 'url' | 'serviceToken' | 'cacheUrl'>,
  resource: string,
  idempotencyKeys: boolean,
): Contender {
  const client = createClient({
    ...{ url, token: serviceToken, redis: cacheUrl, idempotencyKeys },
    // As long as the hand-written contender waits.
    timeoutMs: 30_000,
  });
  return {
    write: async (_caller, key, value) => {
      await client.patch(resource, key, { value });
    },
    close: () => client.close(),
  };
}
