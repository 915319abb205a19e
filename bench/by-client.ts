/** The work as a service asks `@lockstep/client` for it: one `patch` of one column. */
import { createClient } from '@lockstep/client';
import type { Contender, Servers } from './contender.ts';

/** @param idempotencyKeys whether writes carry idempotency keys. The client's default is yes; the hand-written rows have none */
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
