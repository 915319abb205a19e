import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { run } from '@lockstep/testkit/doubles/run-cli';
import {
  freshDatabase,
  type FreshDatabase,
  installedClients,
  isPgBouncerInstalled,
  startPgBouncer,
  startPostgres,
  startRedis,
  startStandby,
  type TestRedis,
} from '@lockstep/testkit/servers';
import type { Finding } from '../checks/index.ts';
import { executeAll } from './testing/execute.ts';

describe.each(installedClients())('lockstep doctor, with %s', (client) => {
  let folder = '';
  let database: FreshDatabase;
  let cache: TestRedis;
  let locks: TestRedis;
  const accounts = { table: 'accounts', key: ['id'] };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-doctor-'));
    [database, cache, locks] = await Promise.all([
      freshDatabase(client),
      startRedis(),
      startRedis({ args: ['--appendonly', 'no'] }),
    ]);
    const moment = client === 'pg' ? 'timestamp' : 'datetime';
    await executeAll(client, database.url, [
      `create table accounts (id bigint primary key, owner varchar(100), opened ${moment})`,
    ]);
  });
  afterAll(async () => {
    await Promise.all([database.drop(), cache.stop(), locks.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const doctor = async (changes: object = {}, ...argv: string[]) => {
    const config = {
      database: { connection: database.url },
      cache: { url: cache.url },
      locks: { nodes: [locks.url] },
      resources: { account: accounts },
      ...changes,
    };
    const file = join(folder, 'lockstep.yaml');
    await writeFile(file, stringify(config));
    return run(['doctor', '--config', file, ...argv], { cwd: folder });
  };
  const findings = async (changes: object = {}): Promise<{ code: number; found: Finding[] }> => {
    const { code, out } = await doctor(changes, '--json');
    const { findings: found } = JSON.parse(out[0] ?? '') as { findings: Finding[] };
    return { code, found };
  };
  const about = (found: readonly Finding[], area: string): Finding[] =>
    found.filter((each) => each.area === area);

  it('tells what it saw of sound servers, and exits 0', async () => {
    const { code, found } = await findings();
    expect(code).toBe(0);
    expect(found.filter(({ level }) => level === 'fault')).toEqual([]);
    const text = found.map(({ area, message }) => `${area}: ${message}`).join('\n');
    expect(text).toMatch(/database: (PostgreSQL|MariaDB|MySQL) \d/);
    expect(text).toMatch(/database\.connection: no pooler is seen between/);
    expect(text).toMatch(/were tried on the tables of 1 resource\(s\) and rolled back; 0 refused/);
    expect(text).toMatch(/clocks: against this machine’s: database [+−]\d+ ms, cache [+−]\d+ ms/);
    expect(text).toMatch(/cache\.url: logs each command to disk/);
    expect(text).toMatch(/changeLog.*: /);
  });

  it('prints one line a finding, faults first, with what mends it', async () => {
    const { code, out } = await doctor({ resources: { account: { ...accounts, key: ['owner'] } } });
    expect(code).toBe(1);
    expect(out[0]).toMatch(
      /^fault: {3}resources\.account\.key: is not a unique key.* \| mend: id$/,
    );
    expect(out.at(-1)).toMatch(/^1 fault\(s\), \d+ warning\(s\), \d+ note\(s\)$/);
  });

  it('names a wrong configuration and a server that is away as faults', async () => {
    const wrong = await findings({ locks: { nodes: [], ttl: 'long' } });
    expect(wrong.code).toBe(1);
    expect(about(wrong.found, 'locks.ttl')).toMatchObject([
      { level: 'fault', mend: expect.stringMatching(/duration/) as string },
    ]);
    const away = await findings({ cache: { url: 'redis://127.0.0.1:1' } });
    expect(away.code).toBe(1);
    expect(about(away.found, 'cache.url')).toMatchObject([{ level: 'fault' }]);
  });

  it('finds a cache that may evict intents, with the policies that do not', async () => {
    const evicting = await startRedis({
      args: ['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '100mb'],
    });
    try {
      const servers = { cache: { url: evicting.url } };
      const strict = await findings({
        ...servers,
        resources: { account: { ...accounts, policy: 'strict' } },
      });
      expect(strict.code).toBe(1);
      expect(about(strict.found, 'cache.url')[0]).toMatchObject({
        level: 'fault',
        mend: expect.stringMatching(/^noeviction, volatile-lru/) as string,
      });
      const plain = await findings(servers);
      expect(plain.code).toBe(0);
      expect(about(plain.found, 'cache.url')).toContainEqual(
        expect.objectContaining({
          level: 'note',
          mend: expect.stringMatching(/volatile-lru/) as string,
        }),
      );
    } finally {
      await evicting.stop();
    }
  });

  it('warns of a cache that comes back with old entries, or without its intents', async () => {
    const admin = new Redis(locks.url);
    try {
      await admin.config('SET', 'save', '3600 1');
      const snapshots = await findings({ cache: { url: locks.url } });
      expect(about(snapshots.found, 'cache.url')).toContainEqual(
        expect.objectContaining({
          level: 'warning',
          mend: expect.stringMatching(/^config set appendonly yes/) as string,
        }),
      );
      await admin.config('SET', 'save', '');
      const strict = {
        cache: { url: locks.url },
        resources: { account: { ...accounts, policy: 'strict' } },
      };
      expect(about((await findings(strict)).found, 'cache.url')).toContainEqual(
        expect.objectContaining({
          level: 'warning',
          mend: expect.stringMatching(/verifyIntent: true/) as string,
        }),
      );
    } finally {
      admin.disconnect();
    }
  });

  it('warns of a zone that is not the server’s, where times are stored without one', async () => {
    const timeZone = '+05:30';
    const { found } = await findings({ database: { connection: database.url, timeZone } });
    expect(about(found, 'database.timeZone')).toMatchObject([
      {
        level: 'warning',
        message: expect.stringMatching(/account\.opened/) as string,
        mend: expect.stringMatching(/^database\.timeZone: /) as string,
      },
    ]);
    const without = { account: { ...accounts, columns: ['id', 'owner'] } };
    const { found: noTimes } = await findings({
      database: { connection: database.url, timeZone },
      resources: without,
    });
    expect(about(noTimes, 'database.timeZone')).toMatchObject([{ level: 'note' }]);
  });

  it('tries the rights of an account, and prints the grant that is missing', async () => {
    const name = `reader_${Date.now()}`;
    const url = new URL(database.url);
    const place = url.pathname.slice(1);
    const make = {
      pg: [
        `create role ${name} login password 'pw'`,
        `grant create, usage on schema public to ${name}`,
        `grant select, insert, update on accounts to ${name}`,
      ],
      mysql2: [
        `create user '${name}'@'%' identified by 'pw'`,
        `grant select, create, alter, drop, index, create routine, alter routine on ${place}.* to '${name}'@'%'`,
        `grant select, insert, update, trigger on ${place}.accounts to '${name}'@'%'`,
      ],
    };
    const end = {
      pg: [`drop owned by ${name}`, `drop role ${name}`],
      mysql2: [`drop user '${name}'@'%'`],
    };
    await executeAll(client, database.url, make[client]);
    try {
      [url.username, url.password] = [name, 'pw'];
      const { code, found } = await findings({ database: { connection: url.href } });
      expect(about(found, 'resources.account.table')).toMatchObject([
        {
          level: 'warning',
          message: expect.stringMatching(/delete/) as string,
          mend: expect.stringMatching(/^grant delete on .accounts. to/) as string,
        },
      ]);
      expect(about(found, 'rights')).toMatchObject([
        { message: expect.stringMatching(/1 refused$/) as string },
      ]);
      expect(code, JSON.stringify(found)).toBe(0);
      expect(JSON.stringify(found)).not.toContain(':pw@');
    } finally {
      await executeAll(client, database.url, end[client]);
    }
  });

  it.skipIf(client === 'mysql2')('names a replication slot that nobody reads', async () => {
    const slot = `idle_${Date.now()}`;
    await executeAll(client, database.url, [
      `select pg_create_physical_replication_slot('${slot}', true)`,
    ]);
    try {
      const { code, found } = await findings();
      expect(code).toBe(0);
      expect(found).toContainEqual(
        expect.objectContaining({
          level: 'warning',
          area: 'database',
          mend: expect.stringContaining(`pg_drop_replication_slot('${slot}')`) as string,
        }),
      );
    } finally {
      await executeAll(client, database.url, [`select pg_drop_replication_slot('${slot}')`]);
    }
  });

  it.skipIf(client === 'mysql2')('tells whether the change log survives a failover', async () => {
    const primary = await startPostgres();
    const execute = (text: string) => executeAll('pg', primary.url, [text]);
    try {
      await execute('create table accounts (id bigint primary key, owner varchar(100))');
      await execute(`select pg_create_logical_replication_slot('lockstep', 'pgoutput')`);
      const changes = { database: { connection: primary.url }, changeLog: { mode: 'on' } };
      const ofLog = async () => about((await findings(changes)).found, 'changeLog');
      expect(JSON.stringify(await ofLog())).not.toContain('failover');
      const { server: standby } = await startStandby(primary);
      try {
        expect(await ofLog()).toContainEqual(
          expect.objectContaining({
            level: 'warning',
            message: expect.stringMatching(
              /failover .* loses the replication slot lockstep/,
            ) as string,
            mend: expect.stringMatching(/pg_drop_replication_slot\('lockstep'\)/) as string,
          }),
        );
        await execute(`select pg_drop_replication_slot('lockstep')`);
        await execute(
          `select pg_create_logical_replication_slot('lockstep', 'pgoutput', false, false, true)`,
        );
        expect(await ofLog()).toContainEqual(
          expect.objectContaining({
            level: 'note',
            mend: expect.stringContaining('sync_replication_slots') as string,
          }),
        );
      } finally {
        await standby.stop();
      }
    } finally {
      await primary.stop();
    }
  });

  it.skipIf(client === 'mysql2' || !isPgBouncerInstalled())(
    'tells the mode of a pooler, and refuses one that shares sessions',
    async () => {
      for (const poolMode of ['session', 'transaction'] as const) {
        const pooler = await startPgBouncer({ databaseUrl: database.url, poolMode });
        try {
          const { code, found } = await findings({ database: { connection: pooler.url } });
          const of = about(found, 'database.connection');
          expect(code).toBe(poolMode === 'session' ? 0 : 1);
          expect(of[0]).toMatchObject(
            poolMode === 'session'
              ? {
                  level: 'note',
                  message: expect.stringMatching(/pooler in session mode/) as string,
                }
              : { level: 'fault', mend: expect.stringMatching(/pool_mode = session/) as string },
          );
        } finally {
          await pooler.stop();
        }
      }
    },
  );
});
