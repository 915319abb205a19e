import { afterEach, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, SERVICE_TOKEN } from '@lockstep/testkit/doubles/api-server';
import { knownKeys, MemoryKeyStore } from '@lockstep/testkit/doubles/memory-key-store';
import { endNodes, leaving, startNode } from '@lockstep/testkit/doubles/routed-nodes';
import { memberNamed } from '@lockstep/testkit/doubles/router';
import type { KnownKeys } from '../identities/index.ts';
import { createAuthenticator } from './authentication.ts';
import type { ApiOptions } from './ports.ts';

const PATH = '/v1/resources/account/1';
const known: KnownKeys[] = [];
afterEach(async () => {
  await endNodes();
  await Promise.all(known.splice(0).map((keys) => keys.stop()));
});

async function withKeys(store: MemoryKeyStore): Promise<Pick<ApiOptions, 'auth'>> {
  const keys = await knownKeys(store);
  known.push(keys);
  const tokens = { service: SERVICE_TOKEN, admin: ADMIN_TOKEN };
  return { auth: createAuthenticator({ mode: 'required', tokens, keys }) };
}

/** `here` forwards every key to `there`; each reads the keys of its own store. */
async function startBoth(hereStore: MemoryKeyStore, thereStore: MemoryKeyStore) {
  const alone = {
    instance: 'there',
    members: () => [memberNamed('there', 'http://there.test', true)],
  };
  const there = await startNode(alone, await withKeys(thereStore));
  const members = () => [
    leaving(memberNamed('here', 'http://here.test', true)),
    memberNamed('there', there.api.url),
  ];
  const here = await startNode({ mode: 'forward', members }, await withKeys(hereStore));
  return { here: here.api, there: there.api };
}

describe('a call with an API key', () => {
  it('is forwarded with the key, which the other coordinator reads from the same database', async () => {
    const store = new MemoryKeyStore();
    const { here, there } = await startBoth(store, store);
    const token = store.add(['write:account:1*', 'read:account']);
    const put = await here.call('PUT', PATH, { token, body: { owner: 'ann' } });
    expect([put.status, put.headers.get('lockstep-instance')]).toEqual([201, 'there']);
    expect(there.store.requests).toHaveLength(1);
  });

  it('outside of its scopes is refused where it arrives, and not sent on (I2)', async () => {
    const store = new MemoryKeyStore();
    const { here, there } = await startBoth(store, store);
    const token = store.add(['write:account:2*']);
    const put = await here.call('PUT', PATH, { token, body: { owner: 'ann' } });
    expect(put.json['code']).toBe('FORBIDDEN');
    expect(put.headers.get('lockstep-instance')).toBeNull();
    expect(there.store.requests).toHaveLength(0);
  });

  it('is served where it arrived if the other one does not know the key', async () => {
    const store = new MemoryKeyStore();
    const { here, there } = await startBoth(store, new MemoryKeyStore());
    const token = store.add(['write:account']);
    const put = await here.call('PUT', PATH, { token, body: { owner: 'ann' } });
    expect([put.status, put.headers.get('lockstep-instance')]).toEqual([201, 'here']);
    expect(there.store.requests).toHaveLength(0);
  });
});
