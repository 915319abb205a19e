import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { run, type Ran } from '@lockstep/testkit/doubles/run-cli';
import { installedClients } from '@lockstep/testkit/servers';

const RESOURCE = { table: 'accounts', key: ['id'], policy: 'none' };

describe.each(installedClients())('lockstep keys, with %s', (client) => {
  let folder = '';
  let database: TestDatabase;
  const keys = (...argv: string[]): Promise<Ran> =>
    run(['keys', ...argv, '--config', join(folder, 'c.json'), '--data-dir', folder]);
  async function json(...argv: string[]): Promise<Record<string, unknown>> {
    const { code, out, err } = await keys(...argv, '--json');
    expect([code, err]).toEqual([0, []]);
    expect(out).toHaveLength(1);
    return JSON.parse(out[0] ?? '') as Record<string, unknown>;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-keys-'));
    database = await openTestDatabase(client);
    const config = {
      database: { client, connection: database.url },
      cache: { url: 'redis://127.0.0.1:1' },
      locks: { nodes: ['redis://127.0.0.1:1'] },
      resources: {
        account: { ...RESOURCE, cacheKey: 'account:{id}' },
        note: { ...RESOURCE, cacheKey: 'note:{id}' },
      },
    };
    await writeFile(join(folder, 'c.json'), JSON.stringify(config));
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => database.execute('delete from lockstep_api_keys'));

  it('create answers the key once, and list never shows it (I1)', async () => {
    const scope = 'read:account,write:account:eu-*';
    const made = await json(
      ...['create', '--name', 'shop', '--scope', scope, '--scope', 'operate:note'],
      ...['--role', 'viewer', '--expires', '90d'],
    );
    expect(Object.keys(made)).toEqual(['id', 'key', 'prefix', 'expiresAt']);
    expect(made['key']).toMatch(new RegExp(`^lsk_${String(made['prefix'])}_[\\w-]{32}$`));
    const days = (Date.parse(String(made['expiresAt'])) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    const lasting = await json('create', '--name', 'other', '--role', 'admin');
    expect(lasting['expiresAt']).toBeNull();
    const listed = await json('list');
    expect(listed['keys']).toMatchObject([
      {
        ...{ id: made['id'], prefix: made['prefix'], name: 'shop', state: 'valid', role: 'viewer' },
        scopes: ['read:account', 'write:account:eu-*', 'operate:note'],
        ...{ expiresAt: made['expiresAt'], revokedAt: null, usedAt: null },
      },
      { name: 'other', scopes: [], role: 'admin', expiresAt: null },
    ]);
    const words = await keys('list');
    for (const text of [JSON.stringify(listed), words.out.join('\n')]) {
      for (const { key } of [made, lasting]) expect(text).not.toContain(String(key).slice(-32));
      expect(text).not.toMatch(/[0-9a-f]{64}/);
    }
    expect(words.out).toHaveLength(2);
  });

  it('create tells people the key, and that they see it only then', async () => {
    const { code, out } = await keys('create', '--name', 'shop', '--scope', 'read:*');
    expect(code).toBe(0);
    expect(out.join('\n')).toMatch(/^id +key_[0-9a-f]{12}\nkey +lsk_\S+ \(shown only this once\)/);
    expect(out.join('\n')).toMatch(/expiresAt +never$/);
  });

  it('create refuses a resource that is not configured, and makes nothing', async () => {
    const { code, err } = await keys('create', '--name', 'a', '--scope', 'read:acount');
    expect([code, err.length]).toEqual([2, 1]);
    expect(err[0]).toMatch(
      /--scope: .*acount, which is not configured; allowed: account, note, \*/,
    );
    expect((await json('list'))['keys']).toEqual([]);
  });

  it('rotate gives another secret to the same key; revoke ends it, and may be repeated', async () => {
    const made = await json('create', '--name', 'shop', '--scope', 'read:*');
    const id = String(made['id']);
    const rotated = await json('rotate', id, '--grace', '2h', '--expires', '1h');
    expect(rotated).toMatchObject({ id, prefix: made['prefix'] });
    expect(rotated['key']).not.toBe(made['key']);
    const minutes = (Date.parse(String(rotated['formerUntil'])) - Date.now()) / 60_000;
    // The secret before is valid no longer than the key.
    expect(Math.round(minutes)).toBe(60);
    const ended = await json('rotate', id, '--grace', '0s');
    expect(ended['formerUntil']).toBeNull();
    expect(ended['expiresAt']).toBe(rotated['expiresAt']);
    const revoked = await json('revoke', id);
    expect(await json('revoke', id)).toEqual(revoked);
    expect((await json('list'))['keys']).toMatchObject([{ id, state: 'revoked' }]);
    const late = await keys('rotate', id);
    expect([late.code, late.err]).toEqual([
      1,
      [`lockstep: the key ${id} is revoked; allowed: a valid one, or create another`],
    ]);
    for (const command of ['rotate', 'revoke']) {
      const { code, err } = await keys(command, 'key_none');
      expect([code, err[0]]).toEqual([1, expect.stringMatching(/no key has the id "key_none"/)]);
    }
  });

  it('wants the tables migrated', async () => {
    await database.migrations.down();
    try {
      const { code, err } = await keys('list');
      expect([code, err[0]]).toEqual([1, expect.stringMatching(/run lockstep migrate up/)]);
    } finally {
      await database.migrations.up();
    }
  });
});
