/** API keys on a running instance: made by the command line, used over HTTP, the client and the live stream. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@lockstep/client';
import { io } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { ApiClient } from '../support/api-client.ts';
import { runCli, runCliJson } from '../support/cli.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({
  config: embeddedShop({ log: { level: 'debug' } }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));

interface MadeKey {
  id: string;
  key: string;
  prefix: string;
  expiresAt: string | null;
}

/** The texts of all keys that were made here. */
const shown: string[] = [];

async function keys(...args: string[]): Promise<MadeKey> {
  const made = (await runCliJson([
    ...['keys', ...args, '--data-dir', bed.instance.dataDir],
  ])) as MadeKey;
  if (typeof made.key === 'string') shown.push(made.key);
  return made;
}

async function withKey(key: string, task: (api: ApiClient) => Promise<void>): Promise<void> {
  const api = new ApiClient(bed.instance.url, key, 4);
  try {
    await task(api);
  } finally {
    await api.close();
  }
}

/** Whether the key is let in. */
const isKnown = async (api: ApiClient): Promise<boolean> =>
  (await api.get('document', 'eu-1')).status !== 401;

/** How the live stream answers the token, until it is disconnected. */
function watch(token: string): { answered: Promise<string>; ended: Promise<string> } {
  const socket = io(`${bed.instance.url}/ops`, {
    ...{ path: '/live', auth: { token }, reconnection: false, forceNew: true },
  });
  const answered = new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('connected'));
    socket.once('connect_error', (error) => {
      const { data } = error as Error & { data?: { code?: string } };
      resolve(data?.code ?? error.message);
    });
  });
  const ended = new Promise<string>((resolve) => socket.once('disconnect', resolve));
  return { answered, ended };
}

describe('an API key', () => {
  test('is let in from the moment that it is made, within its scopes (I2, I3)', async () => {
    const path = `eu-${newId()}`;
    const scope = 'read:document,write:document:eu-*,lease:document:eu-*';
    const { key } = await keys('create', '--name', 'shop', '--scope', scope);
    await withKey(key, async (api) => {
      const put = await api.put('document', path, { body: 'hello' });
      expect(put.status).toBe(201);
      expect((await api.get('document', path)).body.value).toMatchObject({ body: 'hello' });
      const outside = await api.patch('document', `us-${newId()}`, { body: 'no' });
      expectProblem(outside, 'FORBIDDEN');
      expect(outside.body.detail).toContain('write:document');
      expect(outside.body.detail).not.toContain('us-');
      expectProblem(await api.get('account', newId()), 'FORBIDDEN');
      expectProblem(await api.call('GET', '/v1/ops/session'), 'FORBIDDEN');
      const body = { resource: 'document', key: path, ttl: '5s' };
      const lease = await api.call('POST', '/v1/leases', { body });
      expect(lease.status).toBe(201);
      const id = String((lease.body as { id?: string }).id);
      expect((await api.call('DELETE', `/v1/leases/${id}`)).status).toBe(200);
    });
  });

  test('is the token of the client', async () => {
    const { key } = await keys('create', '--name', 'client', '--scope', 'read:*,write:document');
    const client = createClient({
      ...{ url: bed.instance.url, token: key, redis: bed.instance.runtime.cacheUrl },
    });
    try {
      const path = `eu-${newId()}`;
      await client.put('document', path, { body: 'hello' });
      expect(await client.get('document', path)).toMatchObject({ value: { body: 'hello' } });
      await expect(client.delete('account', newId())).rejects.toMatchObject({ code: 'FORBIDDEN' });
    } finally {
      await client.close();
    }
  });

  test('is valid by both secrets after a rotation, and by none soon after it is revoked (I3)', async () => {
    const made = await keys('create', '--name', 'rotated', '--scope', 'read:document');
    const rotated = await keys('rotate', made.id);
    expect(rotated).toMatchObject({ id: made.id, prefix: made.prefix });
    await withKey(made.key, async (before) => {
      await withKey(rotated.key, async (after) => {
        for (const api of [before, after]) expect(await isKnown(api)).toBe(true);
        const again = await keys('rotate', made.id, '--grace', '0s');
        await eventually(async () => {
          for (const api of [before, after]) expect(await isKnown(api)).toBe(false);
        });
        await withKey(again.key, async (last) => {
          expect(await isKnown(last)).toBe(true);
          await keys('revoke', made.id);
          await eventually(async () => expect(await isKnown(last)).toBe(false));
          expectProblem(await last.get('document', 'eu-1'), 'UNAUTHENTICATED');
        });
      });
    });
  });

  test('ends when it expires, without a restart (I3)', async () => {
    const made = await keys('create', '--name', 'short', '--scope', 'read:*', '--expires', '5s');
    await withKey(made.key, async (api) => {
      await eventually(async () => expect(await isKnown(api)).toBe(false));
      expect(Date.now()).toBeGreaterThan(Date.parse(String(made.expiresAt)) - 1_000);
    });
  });

  test('of a viewer watches and looks, and is disconnected once it is revoked (I2, I3)', async () => {
    const viewer = await keys('create', '--name', 'viewer', '--role', 'viewer');
    const service = await keys('create', '--name', 'service', '--scope', 'read:*');
    expect(await watch(service.key).answered).toBe('FORBIDDEN');
    expect(await watch(`${viewer.key.slice(0, -2)}xx`).answered).toBe('UNAUTHENTICATED');
    const { answered, ended } = watch(viewer.key);
    expect(await answered).toBe('connected');
    await withKey(viewer.key, async (api) => {
      expect((await api.call('GET', '/v1/ops/session')).status).toBe(200);
      expectProblem(await api.call('POST', '/v1/ops/sweeps', { body: {} }), 'FORBIDDEN');
      expectProblem(await api.get('document', 'eu-1'), 'FORBIDDEN');
    });
    await keys('revoke', viewer.id);
    expect(await ended).toBe('io server disconnect');
  });

  test('of an admin reloads, and an operator’s does not (I2)', async () => {
    for (const [role, status] of [
      ['operator', 403],
      ['admin', 200],
    ] as const) {
      const { key } = await keys('create', '--name', role, '--role', role);
      await withKey(key, async (api) => {
        expect((await api.call('POST', '/v1/ops/reload', { body: {} })).status).toBe(status);
      });
    }
  });

  test('is in no list and in no log (I1)', async () => {
    const list = await runCli(['keys', 'list', '--data-dir', bed.instance.dataDir]);
    const json = await runCli(['keys', 'list', '--json', '--data-dir', bed.instance.dataDir]);
    expect([list.code, json.code]).toEqual([0, 0]);
    const logs = join(bed.instance.dataDir, 'logs');
    const texts = [
      ...[list.stdout, json.stdout, bed.instance.logTail(Infinity)],
      ...readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8')),
    ];
    expect(shown.length).toBeGreaterThan(5);
    for (const text of texts)
      for (const key of shown) expect(text.includes(key.slice(-32))).toBe(false);
  });
});
