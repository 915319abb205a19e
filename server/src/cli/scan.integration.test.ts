import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { encodeEntry, type Row } from '@lockstep/shared';
import { run } from '@lockstep/testkit/doubles/run-cli';
import {
  freshDatabase,
  type FreshDatabase,
  installedClients,
  startRedis,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { executeAll } from './testing/execute.ts';

const ROWS = 40;
const ids = Array.from({ length: ROWS }, (_, index) => index + 1);
const rowOf = (id: number): Row => ({ id, owner: `owner ${id}`, rate: '1.50' });

describe.each(installedClients())('lockstep scan, with %s', (client) => {
  let folder = '';
  let database: FreshDatabase;
  let server: TestRedis;
  let redis: Redis;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-scan-'));
    [database, server] = await Promise.all([freshDatabase(client), startRedis()]);
    redis = new Redis(server.url);
    await executeAll(client, database.url, [
      'create table accounts (id integer primary key, owner varchar(100), rate numeric(9, 2))',
      ...ids.map((id) => `insert into accounts values (${id}, 'owner ${id}', 1.5)`),
    ]);
    const config = {
      database: { connection: database.url },
      cache: { url: server.url },
      locks: { nodes: [server.url] },
      audit: { grace: '200ms' },
      resources: {
        account: { table: 'accounts', key: ['id'], format: 'raw', audit: {} },
        holder: { table: 'accounts', key: ['id'], audit: {} },
        bare: { table: 'accounts', key: ['id'], policy: 'none' },
      },
    };
    await writeFile(join(folder, 'lockstep.yaml'), stringify(config));
  });
  afterAll(async () => {
    redis.disconnect();
    await Promise.all([database.drop(), server.stop()]);
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => redis.flushall());

  const scan = (...argv: string[]) =>
    run(['scan', ...argv, '--config', 'lockstep.yaml'], { cwd: folder });
  const report = async (...argv: string[]) => {
    const { code, out, err } = await scan(...argv, '--json');
    expect(err).toEqual([]);
    return { code, report: JSON.parse(out[0] ?? '') as Record<string, unknown> };
  };
  const raw = (id: number, value: unknown): Promise<unknown> =>
    redis.set(`account:${id}`, JSON.stringify(value), 'EX', 600);
  const entry = (id: number, row: Row | null, version = 0): Promise<unknown> =>
    redis.set(
      `holder:${id}`,
      encodeEntry({ state: 'value', version, fence: 0, writtenAtMs: 1, row }),
      'EX',
      600,
    );

  it('finds nothing where plain JSON says what the rows say, in whatever spelling', async () => {
    for (const id of ids) await raw(id, { owner: `owner ${id}`, rate: 1.5, id: String(id) });
    const before = await snapshot();
    const { code, report: found } = await report('account', '--sample', '500');
    expect(found).toMatchObject({
      ...{ resource: 'account', sampled: ROWS, compared: ROWS, findings: [] },
      ...{ driftAtMost: 3 / ROWS, nines: 1.1 },
    });
    expect(code).toBe(0);
    expect(await snapshot()).toEqual(before);
  });

  const none = { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 };

  it('finds each kind of drift in plain JSON', async () => {
    for (const id of ids) await raw(id, rowOf(id));
    await raw(1, { ...rowOf(1), owner: 'earlier' });
    await raw(900, rowOf(900));
    await raw(2, null);
    await redis.set('account:3', 'O:8:"stdClass"', 'EX', 600);
    await redis.del('account:4');
    await redis.hset('account:4', 'owner', 'x');
    await redis.persist('account:5');
    const { code, report: found } = await report('account');
    expect(code).toBe(1);
    expect(found).toMatchObject({
      compared: ROWS + 1,
      drift: { stale: 1, orphan: 1, 'negative-stale': 1, corrupt: 2, 'no-ttl': 1 },
    });
    expect(found['findings']).toContainEqual({
      class: 'orphan',
      key: '900',
      cacheKey: 'account:900',
    });
  });

  it('finds each kind of drift in entries of Lockstep', async () => {
    for (const id of ids) await entry(id, rowOf(id));
    await entry(1, { ...rowOf(1), owner: 'earlier' });
    await entry(900, rowOf(900));
    await entry(2, null);
    await redis.set('holder:3', 'no entry', 'EX', 600);
    await redis.persist('holder:5');
    const { code, report: found } = await report('holder');
    expect(code).toBe(1);
    expect(found['drift']).toEqual({
      ...{ stale: 1, orphan: 1, 'negative-stale': 1, corrupt: 1, 'no-ttl': 1 },
    });
  });

  it('does not count what is put right within the grace period', async () => {
    await raw(1, { ...rowOf(1), owner: 'earlier' });
    const scanning = report('account');
    const until = Date.now() + 10_000;
    while ((await reads()) < 1 && Date.now() < until) await new Promise(setImmediate);
    await raw(1, rowOf(1));
    expect((await scanning).report['drift']).toEqual(none);
  });

  it('scans every resource that is cached, and prints a line for each', async () => {
    for (const id of ids) await raw(id, rowOf(id));
    await raw(1, { ...rowOf(1), owner: 'earlier' });
    const { code, out } = await scan('--all');
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(
        /^account: 40 keys looked at, 40 entries compared, drift: 1 stale; with 95% confidence at most \d+(\.\d+)?% differ \(0\.\d nines\)$/,
      ),
      '  stale: account:1',
      expect.stringMatching(
        /^holder: 40 keys looked at, 0 entries compared: the sample has no entry/,
      ),
    ]);
    const { report: all } = await report('--all');
    expect(all).toMatchObject({ resources: [{ resource: 'account' }, { resource: 'holder' }] });
  });

  it('refuses a resource that is not cached, and none or both of a name and --all', async () => {
    expect((await scan('bare')).err.join()).toMatch(
      /bare is no resource that can be scanned; allowed: account, holder/,
    );
    expect((await scan()).code).toBe(2);
    expect((await scan('account', '--all')).code).toBe(2);
  });

  it('goes by versions and owners where Lockstep is set up', async () => {
    await run(['migrate', 'up', '--config', 'lockstep.yaml'], { cwd: folder });
    await entry(1, rowOf(1), 0);
    await entry(2, rowOf(2), 7);
    const { report: found } = await report('holder');
    expect(found).toMatchObject({ compared: 2, drift: { ...none, stale: 1 } });
  });

  /** How many GET the server has answered. */
  async function reads(): Promise<number> {
    const calls = /cmdstat_get:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1];
    return Number(calls ?? 0) - readsBefore;
  }
  let readsBefore = 0;
  beforeEach(async () => {
    readsBefore = 0;
    readsBefore = await reads();
  });

  /** Everything in the cache and the table. */
  async function snapshot(): Promise<unknown> {
    const keys = (await redis.keys('*')).sort();
    return Promise.all(keys.map(async (key) => [key, await redis.dumpBuffer(key)]));
  }
});
