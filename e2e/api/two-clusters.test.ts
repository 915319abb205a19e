/** Clusters of different databases that use one Redis for their caches, and the same lock nodes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type DatabaseClient,
  freshDatabase,
  type FreshDatabase,
  installedClients,
  startRedis,
  type TestServer,
} from '@lockstep/testkit/servers';
import { ApiClient } from '../support/api-client.ts';
import { runCli } from '../support/cli.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import { openSideDatabase } from '../schemas/side-database.ts';

const TABLES = [
  'create table accounts (id integer primary key, owner varchar(40) not null)',
  "insert into accounts values (1, 'Ada')",
];

const withPrefix = (prefix: string): object => ({
  account: {
    ...{ table: 'accounts', key: ['id'], policy: 'strict', cacheKey: `${prefix}account:{id}` },
    invalidates: [`${prefix}feed:{owner}`],
  },
});

describe.each<DatabaseClient>(installedClients())(
  'K4: a second cluster, on %s, beside one on PostgreSQL',
  (client) => {
    let redis: TestServer;
    let databases: FreshDatabase[] = [];
    let folder = '';
    const instances: Instance[] = [];

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'lockstep-clusters-'));
      [redis, ...databases] = await Promise.all([
        startRedis(),
        freshDatabase('pg'),
        freshDatabase(client),
      ]);
      for (const [index, { url }] of databases.entries()) {
        const side = await openSideDatabase(index === 0 ? 'pg' : client, url);
        for (const statement of TABLES) await side.query(statement);
        await side.close();
      }
    });
    afterEach(async () => {
      await Promise.all(instances.splice(0).map((instance) => instance.dispose()));
    });
    afterAll(async () => {
      await redis.stop();
      await Promise.all(databases.map((database) => database.drop()));
      rmSync(folder, { recursive: true, force: true });
    });

    const configOf = (place: 0 | 1, resources: object): object => ({
      listen: { drainDelay: '200ms' },
      database: {
        client: place === 0 ? 'pg' : client,
        connection: databases[place]?.url ?? '',
        pool: { min: 0, max: 5 },
      },
      cache: { url: redis.url },
      locks: { nodes: [`${redis.url}/1`] },
      resources,
    });
    async function started(place: 0 | 1, resources: object): Promise<Instance> {
      const instance = await startInstance({ config: configOf(place, resources) });
      instances.push(instance);
      return instance;
    }
    async function second(
      command: 'check' | 'start',
      resources: object,
    ): Promise<{ code: number | null; lines: string[] }> {
      const path = join(folder, 'second.json');
      writeFileSync(path, JSON.stringify(configOf(1, resources)));
      const own = ['--config', path, '--data-dir', join(folder, 'data')];
      const more = command === 'start' ? ['--port', '0', '--no-demo'] : [];
      const { code, stdout, stderr } = await runCli([command, ...own, ...more]);
      const lines = (stdout + stderr).split('\n');
      return { code, lines: lines.filter((line) => line !== '' && !line.startsWith('{')) };
    }
    const nameOf = (place: 0 | 1): string => new URL(databases[place]?.url ?? '').pathname;

    test('is refused by check and start, which print both templates, and allowed with a prefix', async () => {
      await started(0, withPrefix(''));
      const { code, lines } = await second('check', withPrefix(''));
      expect(code).toBe(1);
      const refused = lines.filter((line) => line.startsWith('resources.'));
      expect(refused).toEqual([
        expect.stringMatching(
          /^resources\.account\.cacheKey: account:\{id\} and account:\{id\} of the cluster postgres(?:ql)?:\/\/.* \(its resource account\).*; allowed: a prefix .*another Redis/,
        ),
      ]);
      expect(refused[0]).toContain(nameOf(0));
      const start = await second('start', withPrefix(''));
      expect(start.code).toBe(1);
      expect(start.lines).toEqual(expect.arrayContaining(refused));
      // What the one deletes is an entry of the other.
      const feed = { table: 'accounts', key: ['id'], policy: 'strict', cacheKey: 'feed:{id}' };
      expect((await second('check', { feed })).lines[0]).toMatch(
        /^resources\.feed\.cacheKey: feed:\{id\} and feed:\{owner\}/,
      );

      const apart = await second('check', withPrefix('second:'));
      expect(apart.code, apart.lines.join('\n')).toBe(0);
      expect(apart.lines).toContainEqual(
        expect.stringMatching(/^warning: locks\.nodes: are used by the cluster .* rows of account/),
      );
      await started(1, withPrefix('second:'));
    });

    test('is refused a reload that would use keys of the first, and keeps running unchanged', async () => {
      await started(0, withPrefix(''));
      const instance = await started(1, withPrefix('second:'));
      const api = new ApiClient(instance.url, instance.runtime.adminToken);
      try {
        writeFileSync(instance.configPath, JSON.stringify(configOf(1, withPrefix(''))));
        const answer = await api.post('/v1/ops/reload', {});
        expect(answer.status).toBe(422);
        expect(answer.text).toContain('account:{id} and account:{id} of the cluster');
        expect((await api.patch('account', 1, { owner: 'Eve' })).status).toBe(200);
        const third = await second('check', withPrefix('third:'));
        expect(third.code, third.lines.join('\n')).toBe(0);
        writeFileSync(instance.configPath, JSON.stringify(configOf(1, withPrefix('other:'))));
        expect((await api.post('/v1/ops/reload', {})).status).toBe(200);
      } finally {
        await api.close();
      }
    });

    test('is reported if its database has the cluster name of the first, as a copy does', async () => {
      await started(0, withPrefix(''));
      await started(1, withPrefix('second:'));
      await instances.pop()?.dispose();
      const original = await openSideDatabase('pg', databases[0]?.url ?? '');
      const copy = await openSideDatabase(client, databases[1]?.url ?? '');
      try {
        const [[name = ''] = []] = await original.query('select name from lockstep_cluster');
        const [[own = ''] = []] = await copy.query('select name from lockstep_cluster');
        const rename = (to: string | null): Promise<unknown> =>
          copy.query(`update lockstep_cluster set name = '${to}'`);
        await rename(name);
        const { lines } = await second('check', withPrefix('second:'));
        expect(lines).toContainEqual(
          expect.stringMatching(
            /^warning: cache\.url: is used by the coordinator .* a copy of the other/,
          ),
        );
        await rename(own);
        const after = await second('check', withPrefix('second:'));
        expect(after.lines.join('\n')).not.toContain('a copy of the other');
      } finally {
        await Promise.all([original.close(), copy.close()]);
      }
    });

    test('is allowed when the first has ended or was killed long ago; coordinators of one cluster never refuse each other', async () => {
      await started(0, withPrefix(''));
      const other = await started(0, withPrefix(''));
      await instances[0]?.stop();
      expect((await second('check', withPrefix(''))).code).toBe(1);
      await other.kill();
      expect((await second('check', withPrefix(''))).code).toBe(1);
      const client = new Redis(redis.url);
      try {
        const words = await client.keys('lockstep:clusters:*');
        expect(words).toHaveLength(1);
        const leftMs = await client.pttl(words[0] ?? '');
        expect(leftMs).toBeGreaterThan(0);
        expect(leftMs).toBeLessThanOrEqual(60_000);
        await client.pexpire(words[0] ?? '', 1);
        await eventually(async () => expect(await client.exists(...words)).toBe(0));
      } finally {
        client.disconnect();
      }
      expect((await second('check', withPrefix(''))).code).toBe(0);
      const instance = await started(1, withPrefix(''));
      await instance.stop();
      await started(0, withPrefix(''));
    });
  },
);
