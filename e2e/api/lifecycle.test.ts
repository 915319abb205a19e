import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ApiClient, cell } from '../support/api-client.ts';
import { runCli } from '../support/cli.ts';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';
import { timed } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const options = { config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } };
const bed = useInstance(() => options);

describe('an instance', () => {
  test('ends in order on SIGTERM, and starts again with its data and tokens', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada' });
    await bed.api.put('profile', id, { name: 'Ada' });
    const before = bed.instance.runtime;
    const { code, tookMs, leftBehind } = await bed.instance.stop();
    expect({ code, leftBehind }).toEqual({ code: 0, leftBehind: [] });
    expect(tookMs).toBeLessThan(30_000);

    const started = await timed(() => bed.instance.start());
    await bed.reconnect();
    expect(started.tookMs).toBeLessThan(45_000);
    expect(bed.instance.runtime).toMatchObject({
      serviceToken: before.serviceToken,
      adminToken: before.adminToken,
    });
    expect((await bed.api.get('account', id)).body).toMatchObject({
      version: 1,
      value: { owner: 'Ada' },
    });
    expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'Ada' });
    expect((await bed.api.patch('account', id, { owner: 'Grace' })).body.version).toBe(2);
  });

  test('finishes the writes in flight on SIGTERM and refuses new ones', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
    let [acknowledged, unanswered, stopped] = [0, 0, false];
    const codes = new Set<string>();
    const writer = async (): Promise<void> => {
      while (!stopped) {
        try {
          const answer = await bed.api.patch('account', id, { $inc: { balance: 1 } });
          if (answer.status === 200) acknowledged += 1;
          else codes.add(answer.body.code ?? String(answer.status));
        } catch {
          unanswered += 1; // the listener is closed
          return;
        }
      }
    };
    const writers = Array.from({ length: 8 }, writer);
    await expect.poll(() => acknowledged).toBeGreaterThan(20);
    const { code, leftBehind } = await bed.instance.stop();
    stopped = true;
    await Promise.all(writers);
    expect({ code, leftBehind }).toEqual({ code: 0, leftBehind: [] });
    expect([...codes].filter((each) => each !== 'SHUTTING_DOWN')).toEqual([]);

    await bed.instance.start();
    await bed.reconnect();
    const balance = Number(cell(await bed.api.get('account', id), 'balance'));
    expect(balance).toBeGreaterThanOrEqual(acknowledged);
    expect(balance).toBeLessThanOrEqual(acknowledged + unanswered);
    // Locks were released: nobody waits for their TTL.
    const next = await timed(() => bed.api.patch('account', id, { owner: 'Grace' }));
    expect(next.result.status).toBe(200);
    expect(next.tookMs).toBeLessThan(5_000);
  });

  test('refuses a second instance in its data folder', async () => {
    const flags = [
      '--config',
      bed.instance.configPath,
      '--data-dir',
      bed.instance.dataDir,
      '--port',
      '0',
    ];
    const second = await runCli(['start', ...flags, '--no-demo']);
    expect(second.code).not.toBe(0);
    expect(second.stderr + second.stdout).toContain(String(bed.instance.pid));
    expect((await bed.api.get('account', newId())).status).toBe(404);
  });

  test('does not start with a wrong configuration, and prints each fault on a line', async () => {
    const path = join(bed.instance.folder, 'wrong.yaml');
    writeFileSync(
      path,
      'listen: { prt: 1 }\nresources:\n  account: { table: accounts, key: [id], policy: loose }\n',
    );
    const flags = [
      '--config',
      path,
      '--data-dir',
      join(bed.instance.folder, 'other'),
      '--port',
      '0',
    ];
    const result = await runCli(['start', ...flags, '--no-demo']);
    expect(result.code).not.toBe(0);
    const output = result.stderr + result.stdout;
    expect(output).toMatch(/listen\.prt: /);
    expect(output).toMatch(/resources\.account\.policy: /);
    expect(output).not.toMatch(/\n\s+at /);
  });
});

describe('auth: off', () => {
  let open: Instance | undefined;
  afterAll(() => open?.dispose());

  test('on a loopback address asks for no token', async () => {
    const config = embeddedShop({ auth: { mode: 'off' } });
    open = await startInstance({ config, files: options.files });
    const client = new ApiClient(open.url, null);
    const id = newId();
    expect((await client.put('account', id, { owner: 'Ada' })).status).toBe(201);
    expectProblem(await client.put('account', id, { owner: 5 }), 'INVALID');
    await client.close();
  });
});
