import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCli, runCliJson } from '../support/cli.ts';
import { forgeValue } from '../support/drift.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_RESOURCES, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));
const here = (): string[] => ['--data-dir', bed.instance.dataDir];

/** A configuration for the servers of the running instance, as an external user would write it. */
function writeConfig(name: string, changes: object): string {
  const { databaseUrl, cacheUrl, lockUrls } = bed.instance.runtime;
  const path = join(bed.instance.folder, name);
  const config = {
    database: { client: 'pg', connection: databaseUrl },
    cache: { url: cacheUrl },
    locks: { nodes: lockUrls },
    resources: SHOP_RESOURCES,
    ...changes,
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

describe('lockstep check', () => {
  test('passes if every server and every resource is right', async () => {
    const result = await runCli(['check', '--config', writeConfig('good.json', {})]);
    expect(result).toMatchObject({ code: 0 });
  });

  test('prints one line for each fault and exits with 1', async () => {
    const resources = {
      account: { ...SHOP_RESOURCES.account, tabel: 'x', ttl: 'soon' },
      profile: { ...SHOP_RESOURCES.profile, policy: 'eventual' },
    };
    const result = await runCli([
      'check',
      '--config',
      writeConfig('wrong.json', { resources, lissten: {} }),
    ]);
    expect(result.code).toBe(1);
    const lines = `${result.stdout}\n${result.stderr}`.split('\n');
    for (const path of [
      'resources.account.tabel',
      'resources.account.ttl',
      'resources.profile.policy',
      'lissten',
    ]) {
      expect(lines.filter((line) => line.includes(`${path}:`))).toHaveLength(1);
    }
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  test('names tables and columns that the database does not have', async () => {
    const resources = {
      account: { ...SHOP_RESOURCES.account, table: 'acounts' },
      profile: { ...SHOP_RESOURCES.profile, columns: ['id', 'nmae'] },
    };
    const result = await runCli(['check', '--config', writeConfig('tables.json', { resources })]);
    expect(result.code).toBe(1);
    const output = result.stdout + result.stderr;
    expect(output).toMatch(/resources\.account\.table.*acounts/);
    expect(output).toMatch(/resources\.profile\.columns.*nmae/);
  });

  test('names servers that do not answer', async () => {
    const changes = {
      cache: { url: 'redis://127.0.0.1:1' },
      locks: { nodes: ['redis://127.0.0.1:2'] },
    };
    const result = await runCli(['check', '--config', writeConfig('servers.json', changes)]);
    expect(result.code).toBe(1);
    const output = result.stdout + result.stderr;
    expect(output).toMatch(/cache/);
    expect(output).toMatch(/lock/);
    expect(output).not.toMatch(/\n\s+at /);
  });

  test('refuses strict on a cache that may evict intents', async () => {
    await bed.behind.cache.config('SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      const result = await runCli(['check', '--config', writeConfig('evicting.json', {})]);
      expect(result.code).toBe(1);
      expect(result.stdout + result.stderr).toMatch(/maxmemory-policy|evict/);
    } finally {
      await bed.behind.cache.config('SET', 'maxmemory-policy', 'noeviction');
    }
  });
});

describe('lockstep audit', () => {
  test('prints the report of the contract, finds drift and repairs it', async () => {
    const id = newId();
    await bed.api.put('ledger', id, { amount: 1 });
    const report = await eventually(
      async () => {
        // Each time: an attempt that failed may have repaired it.
        const forged = { id: String(id), amount: '999', memo: null };
        await forgeValue(bed.behind, `ledger:${id}`, 1, forged);
        const answer = await runCliJson([
          'audit',
          'ledger',
          '--sample',
          '400',
          '--repair',
          ...here(),
        ]);
        expect(answer).toMatchObject({ drift: { stale: 1 }, repaired: 1 });
        return answer;
      },
      { withinMs: 90_000 },
    );
    expect(report).toMatchObject({
      resource: 'ledger',
      drift: { stale: 1, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 },
      failed: 0,
    });
    expect(JSON.stringify((await bed.api.get('ledger', id)).body.value?.amount)).toMatch(/^"?1"?$/);
  });

  test('fails with one line if the resource is unknown', async () => {
    const result = await runCli(['audit', 'nothing', ...here()]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/UNKNOWN_RESOURCE/);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });
});

describe('lockstep inspect', () => {
  test('shows both sides of a key', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada' });
    expect(await runCliJson(['inspect', 'account', String(id), ...here()])).toMatchObject({
      resource: 'account',
      key: String(id),
      cacheKey: `account:${id}`,
      policy: 'strict',
      database: { version: 1, row: { owner: 'Ada' } },
      cache: { state: 'value', version: 1 },
      agrees: true,
    });
  });
});

describe('lockstep sweep', () => {
  test.each([
    ['through the running instance', () => here()],
    ['by itself, on a configuration', () => ['--config', writeConfig('sweep.json', {})]],
  ])('removes entries of rows that a restored database does not have, %s', async (_, where) => {
    const id = newId();
    await bed.api.put('profile', id, { name: 'restored' });
    // As after a restore: of a write that the database has not any more.
    await forgeValue(bed.behind, `profile:${id}`, 900, { id, name: 'of later' });
    expect((await bed.api.get('profile', id)).body.version).toBe(900);
    const other = newId();
    await forgeValue(bed.behind, `account:${other}`, 7, { id: other, owner: 'gone' });
    const one = await runCliJson(['sweep', '--resource', 'profile', ...where()]);
    expect(one).toMatchObject({ resources: ['profile'], intents: 0 });
    expect((await bed.api.get('profile', id)).body).toMatchObject({
      version: 1,
      value: { name: 'restored' },
    });
    expect((await bed.api.get('account', other)).status).toBe(200);
    const all = await runCliJson(['sweep', ...where()]);
    expect(all).toMatchObject({ resources: Object.keys(SHOP_RESOURCES) });
    expectProblem(await bed.api.get('account', other), 'NOT_FOUND');
  });
});

describe('lockstep migrate', () => {
  test('down refuses while this instance runs, and names it', async () => {
    for (const yes of [[], ['--yes']]) {
      const result = await runCli(['migrate', 'down', ...yes, ...here()]);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain(bed.instance.runtime.url);
    }
    expect((await bed.api.get('account', newId())).status).toBe(404);
  });

  test('status reports that everything is there', async () => {
    const result = await runCli(['migrate', 'status', '--json', ...here()]);
    expect(result.code).toBe(0);
    expect(() => JSON.parse(result.stdout) as unknown).not.toThrow();
  });
});

describe('lockstep', () => {
  test('lists its commands, and refuses unknown ones', async () => {
    const help = await runCli(['--help']);
    expect(help.code).toBe(0);
    for (const name of ['start', 'migrate', 'check', 'audit', 'inspect'])
      expect(help.stdout).toContain(name);
    expect((await runCli(['fly'])).code).not.toBe(0);
  });

  test('says in one line that no instance runs', async () => {
    const result = await runCli([
      'inspect',
      'account',
      '1',
      '--data-dir',
      join(bed.instance.folder, 'nowhere'),
    ]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });
});
