import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient, cell } from '../support/api-client.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { findNginx, Nginx } from '../support/nginx.ts';
import { newId } from '../support/shop.ts';

const WRITERS = 8;
const SERVICE_TOKEN = 'service-token-of-both-coordinators';

const command = findNginx();
if (command === undefined) {
  process.stderr.write(
    '\nSKIPPED: nginx is not installed; rolling restarts are not tested (npm test installs it)\n\n',
  );
}

describe.skipIf(command === undefined)('behind nginx with its default configuration', () => {
  let servers: ExternalServers;
  let instances: Instance[] = [];
  let nginx: Nginx | undefined;

  beforeAll(async () => {
    servers = await startExternalServers('pg');
    const auth = { tokens: { service: SERVICE_TOKEN } };
    const config = { ...servers.config, auth, listen: {} };
    instances = await Promise.all([0, 1].map(() => startInstance({ config, keepPort: true })));
    const addresses = instances.map(({ url }) => new URL(url).host);
    nginx = await Nginx.start(command ?? '', addresses);
  });
  afterAll(async () => {
    await nginx?.stop();
    await Promise.all(instances.map((instance) => instance.dispose()));
    await servers.stop();
  });

  test('a rolling restart fails no write, not even a PATCH, which nginx never sends twice', async () => {
    const url = nginx?.url ?? '';
    const api = new ApiClient(url, SERVICE_TOKEN);
    const ids = Array.from({ length: WRITERS }, newId);
    for (const id of ids)
      expect((await api.put('account', id, { owner: 'Ada', balance: 0 })).status).toBe(201);
    const written = new Map(ids.map((id) => [id, 0]));
    const failures: string[] = [];
    let isOver = false;
    const writers = ids.map(async (id) => {
      while (!isOver) {
        try {
          const answer = await api.patch('account', id, { $inc: { balance: 1 } });
          if (answer.status === 200) written.set(id, (written.get(id) ?? 0) + 1);
          else failures.push(`${answer.status} ${answer.body.code ?? answer.text.slice(0, 80)}`);
        } catch (error) {
          failures.push(String(error));
        }
      }
    });
    const total = (): number => [...written.values()].reduce((sum, each) => sum + each, 0);
    await expect.poll(total).toBeGreaterThan(WRITERS);
    for (const instance of instances) {
      const { code, tookMs } = await instance.stop();
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(30_000);
      // The other one serves alone for a while.
      const before = total();
      await expect.poll(total).toBeGreaterThan(before + WRITERS);
      await instance.start();
    }
    const before = total();
    await expect.poll(total).toBeGreaterThan(before + WRITERS);
    isOver = true;
    await Promise.all(writers);
    expect(failures).toEqual([]);
    for (const id of ids) {
      expect(Number(cell(await api.get('account', id), 'balance'))).toBe(written.get(id));
    }
    await api.close();
  });

  test('an instance that stops announces it first, and serves meanwhile', async () => {
    const [instance] = instances;
    if (instance === undefined) throw new Error('There is no instance');
    const api = new ApiClient(instance.url, SERVICE_TOKEN);
    const id = newId();
    expect((await api.put('account', id, { owner: 'Ada' })).status).toBe(201);
    const stopping = instance.stop();
    await expect.poll(async () => (await api.call('GET', '/readyz')).status).toBe(503);
    const answer = await api.patch('account', id, { owner: 'Grace' });
    expect(answer.status).toBe(200);
    expect(answer.headers['connection']).toBe('close');
    expect((await stopping).code).toBe(0);
    await api.close();
    await instance.start();
  });
});
