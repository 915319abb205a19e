import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { installedClients } from '@lockstep/testkit/servers';
import { run } from '@lockstep/testkit/doubles/run-cli';

describe.each(installedClients())('lockstep capture, with %s', (client) => {
  let folder = '';
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-capture-'));
    database = await openTestDatabase(client);
    await database.execute('create table accounts (id integer primary key, owner integer)');
    await database.execute('create table routes (id integer primary key)');
    const config = {
      database: { client, connection: database.url, capture: 'triggers' },
      cache: { url: 'redis://127.0.0.1:1' },
      locks: { nodes: ['redis://127.0.0.1:1'] },
      resources: {
        account: { table: 'accounts', key: ['id'] },
        summary: { table: 'accounts', key: ['id'], cacheKey: 'summary:{id}' },
        route: { table: 'routes', key: ['id'], policy: 'change-log' },
      },
    };
    await writeFile(join(folder, 'lockstep.json'), JSON.stringify(config));
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const capture = (...argv: string[]) =>
    run(['capture', ...argv, '--config', join(folder, 'lockstep.json')], { cwd: folder });

  it('C14: prints one line for each resource, and ends with 1 until all is installed', async () => {
    const before = await capture('status');
    expect(before).toMatchObject({ code: 1, err: [] });
    expect(before.out).toEqual([
      'account: missing on accounts',
      'summary: missing on accounts',
      'route: missing on routes',
    ]);
    const some = await capture('install', '--resource', 'route');
    expect(some).toMatchObject({ code: 0, out: ['route: installed on routes'] });
    expect((await capture('status')).code).toBe(1);
    const json = await capture('install', '--json');
    expect([json.code, JSON.parse(json.out[0] ?? '')]).toMatchObject([
      0,
      { changed: ['accounts'], tables: [{ table: 'accounts' }, { table: 'routes' }] },
    ]);
    expect(await capture('status')).toMatchObject({ code: 0 });
  });

  it('C14: says what is outdated, and why', async () => {
    const drop = client === 'pg' ? ' on accounts' : '';
    const { rows } = await database.sql.run({
      pg: `select tgname as name from pg_trigger where tgrelid = 'accounts'::regclass and tgname like '%delete%'`,
      mysql2: `select trigger_name as name from information_schema.triggers where trigger_schema = database() and event_object_table = 'accounts' and trigger_name like '%delete%'`,
    });
    await database.execute(`drop trigger ${rows[0]?.['name']}${drop}`);
    const { code, out } = await capture('status', '--resource', 'account');
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(
        /^account: outdated on accounts \(the trigger lockstep_capture_delete_\w+ is missing\)$/,
      ),
    ]);
    expect(await capture('install')).toMatchObject({ code: 0 });
  });

  it('removes what it installed, and refuses a resource that there is not', async () => {
    const none = await capture('uninstall', '--resource', 'nobody');
    expect([none.code, none.err]).toEqual([
      1,
      ['lockstep: no resource nobody is configured; allowed: account, summary, route'],
    ]);
    expect((await capture('uninstall')).out.length).toBeGreaterThan(1);
    expect((await capture('uninstall')).out).toEqual(['no capture trigger is installed']);
    expect((await capture('status')).out).toHaveLength(3);
  });
});
