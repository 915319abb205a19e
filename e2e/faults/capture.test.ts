/** `database.capture: triggers`: changes by plain SQL, on databases whose log Lockstep does not follow. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { runCli, type CliResult } from '../support/cli.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId, SHOP_RESOURCES, type SqlClient } from '../support/shop.ts';

/** Of one of them, nothing but the triggers invalidates what Lockstep itself writes. */
const RESOURCES = {
  profile: SHOP_RESOURCES.profile,
  account: SHOP_RESOURCES.account,
  note: { table: 'notes', key: ['id'], cacheKey: 'note:{id}', policy: 'change-log' },
};

describe.each<SqlClient>(['pg', 'mysql2'])('capture triggers, on %s', (client) => {
  let servers: ExternalServers;
  let folder = '';
  let before: Record<'check' | 'status' | 'install', CliResult>;
  let config: object = {};
  const cli = (...args: string[]): Promise<CliResult> =>
    runCli([
      ...args,
      '--config',
      join(folder, 'lockstep.json'),
      '--data-dir',
      join(folder, 'data'),
    ]);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lockstep-capture-'));
    servers = await startExternalServers(client);
    const { database, ...rest } = servers.config as { database: object };
    config = { ...rest, database: { ...database, capture: 'triggers' }, resources: RESOURCES };
    writeFileSync(join(folder, 'lockstep.json'), JSON.stringify(config));
    await cli('migrate', 'up');
    before = {
      check: await cli('check'),
      status: await cli('capture', 'status'),
      install: await cli('capture', 'install'),
    };
  });
  afterAll(async () => {
    await servers?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const bed = useInstance(() => Promise.resolve({ config }));

  async function cached(resource: string, id: number): Promise<void> {
    await eventually(async () => {
      expect((await bed.api.get(resource, id)).body.source).toBe('cache');
    });
  }

  const seen = (resource: string, id: number, value: object): Promise<void> =>
    eventually(async () => {
      expect((await bed.api.get(resource, id)).body.value).toMatchObject(value);
    });

  test('a check refuses by name what lacks its triggers, and install mends it', () => {
    expect(before.check.code).toBe(1);
    expect(before.check.stdout).toMatch(
      /^resources\.note: the capture triggers of notes are missing; allowed: lockstep capture install$/m,
    );
    expect(before.check.stdout).toMatch(/^warning: resources\.profile: .*profiles are missing/m);
    expect(before.status).toMatchObject({ code: 1 });
    expect(before.status.stdout).toMatch(/^note: missing on notes$/m);
    expect(before.install).toMatchObject({ code: 0, stderr: '' });
    expect(before.install.stdout).toMatch(/^account: installed on accounts$/m);
  });

  test('C12: a change by plain SQL is seen by the next reads, for every policy', async () => {
    const [profile, account, note] = [newId(), newId(), newId()];
    await bed.api.put('profile', profile, { name: 'old' });
    await bed.api.put('account', account, { owner: 'old' });
    await bed.api.put('note', note, { text: 'old' });
    await cached('profile', profile);
    await cached('account', account);
    await seen('note', note, { text: 'old' });
    await bed.behind.sql(`update profiles set name = 'new' where id = ?`, [profile]);
    await bed.behind.sql(`update accounts set owner = 'new' where id = ?`, [account]);
    await bed.behind.sql(`update notes set text = 'new' where id = ?`, [note]);
    await seen('profile', profile, { name: 'new' });
    await seen('account', account, { owner: 'new' });
    await seen('note', note, { text: 'new' });
    await eventually(async () => {
      const { text } = await bed.anonymous.call('GET', '/metrics');
      expect(text).toMatch(/^lockstep_captured_changes_total\{resource="profile"\} [1-9]/m);
    });
  });

  test('C13: what Lockstep writes itself stays in the cache', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'ann' });
    await eventually(async () => {
      expect(await bed.behind.sql('select 1 as one from lockstep_invalidations')).toEqual([]);
    });
    expect((await bed.behind.entry(`account:${id}`))?.state).toBe('value');
  });

  test('C14: a trigger that somebody removes is told while the instance runs', async () => {
    const { stdout } = await cli('capture', 'uninstall', '--resource', 'note');
    expect(stdout).toBe('notes: removed\n');
    const ready = async (): Promise<{ checks: { name: string; detail: string | null }[] }> =>
      JSON.parse((await bed.anonymous.call('GET', '/readyz?verbose')).text) as Awaited<
        ReturnType<typeof ready>
      >;
    const detail = async () =>
      (await ready()).checks.find(({ name }) => name === 'capture')?.detail;
    await eventually(async () => expect(await detail()).toMatch(/triggers of notes are missing/), {
      withinMs: 30_000,
    });
    expect(await cli('capture', 'install')).toMatchObject({ code: 0 });
    await eventually(async () => expect(await detail()).toBeNull(), { withinMs: 30_000 });
  });
});
