/** Reads as a service asks `@lockstep/client` for them. */
import { createClient } from '@lockstep/client';
import type { RuntimeFile } from '@lockstep/testkit/instances/runtime-file';
import { allIds, found, MANY, manyFrom, type Readers, valueOf } from './reader.ts';

export async function openLockstep(runtime: RuntimeFile): Promise<Readers> {
  const { url, serviceToken: token, cacheUrl: redis } = runtime;
  const client = createClient({ url, token, redis, timeoutMs: 60_000 });
  const load = ([id = 0]: readonly number[]) => Promise.resolve(valueOf(id));
  await client.ready();
  for (const resource of ['account', 'profile'])
    await Promise.all(
      allIds().map((id) => {
        const { owner, balance } = valueOf(id);
        return client.put(resource, id, { owner, balance });
      }),
    );
  for (const id of allIds()) {
    await Promise.all([client.get('account', id), client.get('profile', id)]);
    await client.computed('summary', [id], load);
  }
  return {
    rows: [
      {
        name: 'client-get',
        keysPerCall: 1,
        read: async (id) => void found(found(await client.get('account', id)).value),
      },
      {
        name: 'client-get-many',
        keysPerCall: MANY,
        read: async (id) => {
          for (const row of await client.getMany('account', manyFrom(id))) found(found(row).value);
        },
      },
      {
        name: 'client-local',
        keysPerCall: 1,
        read: async (id) => void found(found(await client.get('profile', id)).value),
      },
      {
        name: 'client-computed',
        keysPerCall: 1,
        read: async (id) => void found((await client.computed('summary', [id], load)).value),
      },
    ],
    close: () => client.close(),
  };
}
