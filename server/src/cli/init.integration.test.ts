import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { run } from '@lockstep/testkit/doubles/run-cli';
import {
  freshDatabase,
  type FreshDatabase,
  installedClients,
  startRedis,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { executeAll } from './testing/execute.ts';
import { hostileSchema } from './testing/hostile-schema.ts';

interface Report {
  file: string;
  resources: {
    name: string;
    table: string;
    key: string[];
    cacheKey: string;
    format: string;
    ttlMs: number | null;
    invalidates: string[];
  }[];
  leftOut: { table: string; why: string }[];
  sampled: { keys: number; of: number } | null;
  faults: string[];
}

describe.each(installedClients())('lockstep init, with %s', (client) => {
  let folder = '';
  let database: FreshDatabase;
  let redis: TestRedis;
  let report: Report;
  let text = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-init-'));
    [database, redis] = await Promise.all([freshDatabase(client), startRedis()]);
    await executeAll(client, database.url, hostileSchema(client));
    const other = new Redis(redis.url);
    for (const id of [1, 2, 3]) {
      await other.set(
        `app:user:${id}`,
        JSON.stringify({ id, email: 'a@b', name: null, born: null }),
        'EX',
        250,
      );
      await other.hset(`app:user:${id}:profile`, { nick: 'x' });
      await other.set(`Order:${id}`, 'a:1:{s:1:"x";}', 'EX', 20);
      await other.set(`visits:${id}`, '7');
      await other.set(`user_role:${id}:admin`, JSON.stringify({ userId: id, role: 'admin' }));
    }
    other.disconnect();
    const { code, out, err } = await init('--json');
    expect({ code, err }).toEqual({ code: 0, err: [] });
    report = JSON.parse(out[0] ?? '') as Report;
    text = await readFile(join(folder, 'lockstep.yaml'), 'utf8');
  });
  afterAll(async () => {
    await Promise.all([database.drop(), redis.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const init = (...argv: string[]) =>
    run(['init', '--database', database.url, '--redis', redis.url, ...argv], { cwd: folder });
  const resource = (table: string) => report.resources.find((each) => each.table === table);

  it('proposes a file that every check accepts as it is', async () => {
    const { code, out } = await run(['check', '--config', 'lockstep.yaml', '--json'], {
      cwd: folder,
    });
    expect(JSON.parse(out[0] ?? '')).toMatchObject({ ok: true, faults: [] });
    expect(code).toBe(0);
    expect(report.faults).toEqual([]);
  });

  it('has a resource for each table with a key, whatever its name is', () => {
    const wanted = {
      pg: [
        'users',
        'user_roles',
        'order',
        'Order',
        '"price.list"',
        ' blank name ',
        'ÜBER\nTABLE',
        '2nd',
        'searched',
        'other.users',
        'other.parts',
      ],
      mysql2: [
        'users',
        'user_roles',
        'order',
        'orders-2',
        '"price.list"',
        ' blank name',
        'ÜBER\nTABLE',
        '2nd',
      ],
    };
    expect(report.resources.map(({ table }) => table).sort()).toEqual(wanted[client].sort());
    const names = report.resources.map(({ name }) => name.toLowerCase().replaceAll(/[-_]/g, ''));
    expect(new Set(names).size).toBe(names.length);
  });

  it('names what is left out, with the reason, in the file too', () => {
    const why = Object.fromEntries(report.leftOut.map((each) => [each.table, each.why]));
    expect(why['log_lines']).toMatch(/no primary key and no unique key/);
    expect(why['maybe']).toMatch(/code may be NULL/);
    expect(why['names']).toMatch(/is a view/);
    if (client === 'pg') expect(why['loose']).toMatch(/time with time zone/);
    else expect(why['counted']).toMatch(/MyISAM/);
    expect(text.replaceAll('\n# ', ' ')).toMatch(/log_lines has no primary key/);
  });

  it('takes the keys that the cache has for its own where their values are rows', () => {
    expect(resource('users')).toMatchObject({
      cacheKey: 'app:user:{id}',
      format: 'raw',
      ttlMs: 300_000,
      invalidates: ['app:user:{id}:profile'],
    });
  });

  it('deletes keys with each write, and fills none, where their values are something else', () => {
    expect(resource('user_roles')).toMatchObject({
      cacheKey: 'user_roles:{user_id}:{role}',
      format: 'entry',
      invalidates: ['user_role:{user_id}:{role}'],
    });
    if (client === 'pg')
      expect(resource('Order')).toMatchObject({
        cacheKey: expect.not.stringMatching(/^Order:/) as string,
        invalidates: ['Order:{id}'],
      });
  });

  it('leaves both stores as they were', async () => {
    const other = new Redis(redis.url);
    const keys = await other.keys('*');
    other.disconnect();
    expect(keys.filter((key) => !/^(app:user|Order|visits|user_role):/.test(key))).toEqual([]);
    const parsed = parse(text) as { resources: object };
    expect(Object.keys(parsed.resources)).toHaveLength(report.resources.length);
  });

  it('replaces no file without --force', async () => {
    await writeFile(join(folder, 'mine.yaml'), 'mine');
    const refused = await init('--out', 'mine.yaml');
    expect(refused.code).toBe(1);
    expect(refused.err.join()).toMatch(/mine\.yaml is there already; --force/);
    expect(await readFile(join(folder, 'mine.yaml'), 'utf8')).toBe('mine');
    expect((await init('--out', 'mine.yaml', '--force')).code).toBe(0);
  });

  it('prints no password, and a file that holds one is its owner’s only', async () => {
    const guarded = await startRedis({ password: 'hunter2' });
    try {
      const argv = ['--database', database.url, '--redis', guarded.url, '--out', 'secret.yaml'];
      await writeFile(join(folder, 'secret.yaml'), '', { mode: 0o644 });
      const { code, out, err } = await run(['init', ...argv, '--force'], { cwd: folder });
      expect({ code, err }).toEqual({ code: 0, err: [] });
      expect(out.join()).not.toContain('hunter2');
      expect((await stat(join(folder, 'secret.yaml'))).mode & 0o777).toBe(0o600);
      const checked = await run(['check', '--config', 'secret.yaml'], { cwd: folder });
      expect(checked.code, checked.out.join('\n')).toBe(0);

      const env = { LOCKSTEP_DATABASE_CONNECTION: database.url, LOCKSTEP_CACHE_URL: guarded.url };
      const nodes = { ...env, LOCKSTEP_LOCKS_NODES: guarded.url };
      await run(['init', '--out', 'plain.yaml'], { cwd: folder, env: nodes });
      expect(await readFile(join(folder, 'plain.yaml'), 'utf8')).not.toContain('hunter2');
      expect((await stat(join(folder, 'plain.yaml'))).mode & 0o077).not.toBe(0);
    } finally {
      await guarded.stop();
    }
  });

  it('leaves an address out that the environment has', async () => {
    const env = {
      LOCKSTEP_DATABASE_CONNECTION: database.url,
      LOCKSTEP_CACHE_URL: redis.url,
      LOCKSTEP_LOCKS_NODES: redis.url,
    };
    const made = await run(['init', '--out', 'env.yaml'], { cwd: folder, env });
    expect(made.err).toEqual([]);
    expect(await readFile(join(folder, 'env.yaml'), 'utf8')).not.toContain(
      new URL(database.url).host,
    );
    const checked = await run(['check', '--config', 'env.yaml'], { cwd: folder, env });
    expect(checked.code, checked.out.join('\n')).toBe(0);
  });
});
