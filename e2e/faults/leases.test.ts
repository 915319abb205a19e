import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import { ApiClient } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import { expectProblem } from '../support/problem.ts';
import { newId } from '../support/shop.ts';

/** Two coordinators on one database, one cache and the same lock nodes. */
let servers: ExternalServers;
/** The same for both: a lease that is shown to one may be served by the other. */
const AUTH = { tokens: { service: 'the-service-token-of-both-coordinators' } };
const instances: Instance[] = [];
const clients: ApiClient[] = [];
const client = (index: number): ApiClient => {
  const found = clients[index];
  if (found === undefined) throw new Error(`no coordinator ${index}`);
  return found;
};

beforeAll(async () => {
  servers = await startExternalServers('pg');
  const ports = [await findFreePort(), await findFreePort()];
  const peers = ports.map((port) => `http://127.0.0.1:${port}`);
  for (const port of ports) {
    const config = { ...servers.config, auth: AUTH, routing: { peers } };
    const instance = await startInstance({ config, port });
    instances.push(instance);
    clients.push(new ApiClient(instance.runtime.url, instance.runtime.serviceToken));
  }
});
afterAll(async () => {
  await Promise.all(clients.map((one) => one.close()));
  for (const instance of instances) await instance.dispose();
  await servers?.stop();
});

/** Longer than the locks' TTL of the shop, 2 s. */
const WAIT = { 'lockstep-timeout': '8000' };

async function grant(
  key: number,
  ttl = '60s',
  resource = 'account',
): Promise<Record<string, string>> {
  const answer = await client(0).post('/v1/leases', { resource, key, ttl });
  expect(answer.status).toBe(201);
  return { 'lockstep-lease': String((answer.body as Record<string, unknown>)['id']) };
}

async function restart(index: number): Promise<void> {
  const instance = instances[index];
  if (instance === undefined) throw new Error(`no coordinator ${index}`);
  await instance.start();
  await client(index).close();
  clients[index] = new ApiClient(instance.runtime.url, instance.runtime.serviceToken);
}

async function paused<T>(index: number, during: () => Promise<T>): Promise<T> {
  const pid = instances[index]?.pid ?? 0;
  signalTree(pid, 'SIGSTOP');
  try {
    return await during();
  } finally {
    signalTree(pid, 'SIGCONT');
  }
}

describe('a lease', () => {
  test('makes callers of the other coordinator that do not send it wait (T8)', async () => {
    const id = newId();
    const under = await grant(id);
    await client(0).put('account', id, { owner: 'Ada' }, under);
    const impatient = { 'lockstep-timeout': '200' };
    expectProblem(await client(1).put('account', id, { owner: 'Eve' }, impatient), 'LOCK_TIMEOUT');
    await eventually(async () => {
      const { text } = await client(1).call('GET', '/v1/routing');
      expect(JSON.parse(text)).toMatchObject({ members: [{}, {}] });
    });
    // A call with the lease is let through: the other coordinator forwards it to where the lease is (H7).
    const shown = await client(1).put('account', id, { owner: 'Grace' }, under);
    expect(shown.body).toMatchObject({ version: 2, value: { owner: 'Grace' } });
    const waiting = client(1).put('account', id, { owner: 'Eve' }, WAIT);
    await client(0).call('DELETE', `/v1/leases/${under['lockstep-lease']}`);
    expect((await waiting).body).toMatchObject({ version: 3, value: { owner: 'Eve' } });
  });

  test.each(['account', 'order'])(
    'of %s is lost if its coordinator is paused for longer than its lock: its next write never commits (T7)',
    async (resource) => {
      const id = newId();
      const value = (text: string): object =>
        resource === 'account' ? { owner: text } : { item: text };
      const under = await grant(id, '60s', resource);
      expect((await client(0).put(resource, id, value('mine'), under)).status).toBe(201);
      const theirs = await paused(0, async () => {
        const lease = await client(1).post('/v1/leases', { resource, key: id, ttl: '1s' }, WAIT);
        expect(lease.status).toBe(201);
        const held = { 'lockstep-lease': String((lease.body as Record<string, unknown>)['id']) };
        return client(1).put(resource, id, value('theirs'), held);
      });
      expect(theirs.status).toBe(200);
      const late = await client(0).put(resource, id, value('late'), under);
      expectProblem(late, 'FENCED');
      const extended = await client(0).call('PATCH', `/v1/leases/${under['lockstep-lease']}`, {
        body: { ttl: '10s' },
      });
      expectProblem(extended, 'FENCED');
      for (const one of clients) {
        const read = await one.get(resource, id);
        expect(read.body).toMatchObject({ version: theirs.body.version, value: theirs.body.value });
      }
    },
  );

  test('whose holder is paused for longer than its TTL has ended for it', async () => {
    const id = newId();
    const under = await grant(id, '300ms');
    const theirs = await client(1).put('account', id, { owner: 'theirs' }, WAIT);
    expect(theirs.status).toBe(201);
    expectProblem(await client(0).put('account', id, { owner: 'late' }, under), 'UNKNOWN_LEASE');
    expect((await client(1).get('account', id)).body.value?.['owner']).toBe('theirs');
  });

  test('ends with its coordinator, which answers the waiters of its key before it stops', async () => {
    const id = newId();
    await grant(id);
    const waiting = client(0).put('account', id, { owner: 'waits' }, WAIT);
    const elsewhere = client(1).put('account', newId(), { owner: 'other' });
    expect((await elsewhere).status).toBe(201);
    await eventually(async () => {
      const runtime = instances[0]?.runtime;
      const admin = new ApiClient(runtime?.url ?? '', runtime?.adminToken ?? null);
      const { text } = await admin.call('GET', `/v1/ops/keys/account/${id}`);
      await admin.close();
      expect(text).toContain('"waiting":1');
    });
    const report = await instances[0]?.stop();
    expect(report).toMatchObject({ code: 0, leftBehind: [] });
    expect((await waiting).status).toBe(201);
    await restart(0);
  });

  test('whose coordinator is killed ends when its lock expires, and the key can be written again', async () => {
    const id = newId();
    const under = await grant(id);
    await client(0).put('account', id, { owner: 'Ada' }, under);
    await instances[0]?.kill();
    const next = await client(1).put('account', id, { owner: 'Grace' }, WAIT);
    expect(next.body).toMatchObject({ version: 2, cache: 'fresh' });
    await restart(0);
    await eventually(async () => {
      const late = await client(0).put('account', id, { owner: 'late' }, under);
      expectProblem(late, 'UNKNOWN_LEASE');
    });
  });
});
