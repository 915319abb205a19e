import { execFile } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatFault, loadConfig } from '../config/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { postgresAccount } from '../embedded/account.ts';
import { findFreePort } from '../embedded/free-port.ts';
import { createLog, systemRuntime } from '../runtime/index.ts';
import {
  freshDatabase,
  type FreshDatabase,
  installedClients,
  isMysqlInstalled,
  startMysql,
  startMysqlReplica,
  startPostgres,
  startRedis,
  startStandby,
} from '@lockstep/testkit/servers';
import { checkServers } from './index.ts';

const runtime = systemRuntime(createLog('silent', null));
const closing: (() => Promise<unknown>)[] = [];
let cacheUrl = '';
let lockUrls: string[] = [];
let shop: FreshDatabase;

async function closedLater<T extends { stop(): Promise<void> }>(server: Promise<T>): Promise<T> {
  const started = await server;
  closing.push(() => started.stop());
  return started;
}

beforeAll(async () => {
  const redis = [0, 1, 2, 3].map(() => closedLater(startRedis()));
  const [cache, ...locks] = await Promise.all(redis);
  cacheUrl = cache?.url ?? '';
  lockUrls = locks.map(({ url }) => url);
  shop = await freshDatabase('pg');
  closing.push(() => shop.drop());
  await execute(shop.url, ['create table accounts (id bigint primary key, balance bigint)']);
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

async function execute(url: string, statements: readonly string[]): Promise<void> {
  const database = openDatabase({
    client: url.startsWith('mysql') ? 'mysql2' : 'pg',
    ...{ connection: url, pool: { min: 0, max: 1 }, runtime },
    ...{ statementTimeoutMs: 5_000, acquireTimeoutMs: 5_000 },
  });
  try {
    for (const text of statements) await database.sql.run({ pg: text, mysql2: text });
  } finally {
    await database.close();
  }
}

interface Named {
  database?: string;
  cache?: string;
  locks?: string[];
  policy?: string;
}

/** What `check` and `start` find; each as `path: message`. */
async function found({ database = shop.url, cache = cacheUrl, locks = lockUrls, ...rest }: Named) {
  const { config } = await loadConfig({
    raw: {
      database: { connection: database },
      cache: { url: cache },
      locks: { nodes: locks },
      resources: { account: { table: 'accounts', key: ['id'], ...rest } },
    },
    env: {},
    cwd: '/',
  });
  const result = await checkServers(config, { database, cache, locks }, runtime);
  return {
    faults: result.faults.map(formatFault),
    absent: result.absent.map(formatFault),
    spare: result.spare.map(formatFault),
    warnings: result.warnings.map(formatFault),
  };
}

const NOTHING = { faults: [], absent: [], spare: [], warnings: [] };
const fault = (pattern: RegExp) => ({ ...NOTHING, faults: [expect.stringMatching(pattern)] });
const absent = (pattern: RegExp) => ({ ...NOTHING, absent: [expect.stringMatching(pattern)] });

const account = (url: string, user: string, password = ''): string => {
  const changed = new URL(url);
  [changed.username, changed.password] = [user, password];
  return changed.href;
};

describe('a Redis server', () => {
  it('that is right leaves nothing to say', async () => {
    expect(await found({ policy: 'strict' })).toEqual(NOTHING);
  });

  it('that is a Sentinel, a replica or a node of a cluster is told, as cache and as lock node', async () => {
    const { port } = new URL(cacheUrl);
    const [replica, node, sentinel] = await Promise.all([
      closedLater(startRedis({ args: ['--replicaof', '127.0.0.1', port] })),
      closedLater(startRedis({ args: ['--cluster-enabled', 'yes'] })),
      closedLater(startRedis({ sentinel: `sentinel monitor main 127.0.0.1 ${port} 1\n` })),
    ]);
    for (const [url, words] of [
      [replica.url, 'is a replica; allowed: a master'],
      [node.url, 'is a node of a Redis Cluster'],
      [sentinel.url, 'is a Redis Sentinel'],
      // A Sentinel has no numbered databases, and refuses the number with an error of its own.
      [`${sentinel.url}/2`, 'is a Redis Sentinel'],
    ] as const) {
      expect(await found({ cache: url })).toEqual(fault(new RegExp(`^cache.url: ${words}`)));
      const locks = [url, ...lockUrls.slice(1)];
      expect(await found({ locks })).toEqual(fault(new RegExp(`^locks.nodes.0: ${words}`)));
    }
  });

  it('that is named twice among the lock nodes is found by its own id, by other names too', async () => {
    const [first = '', second = ''] = lockUrls;
    const locks = [first, second, first.replace('127.0.0.1', 'localhost')];
    expect(await found({ locks })).toEqual(
      fault(/^locks\.nodes\.2: is the same server as locks\.nodes\.0/),
    );
  });

  it('that is one of three lock nodes, and away, is no reason to wait', async () => {
    const nobody = `redis://127.0.0.1:${await findFreePort()}`;
    const [first = '', second = '', third = ''] = lockUrls;
    const one = await found({ locks: [first, nobody, third] });
    expect(one).toMatchObject({ faults: [], absent: [] });
    expect(one.spare).toEqual([expect.stringMatching(/^locks\.nodes\.1: .*refused/)]);
    const two = await found({ locks: [`${nobody}/1`, nobody, second] });
    expect(two.absent).toHaveLength(2);
  });

  it('that is cache and lock node in one is allowed with a warning', async () => {
    const locks = [cacheUrl, ...lockUrls.slice(1)];
    expect(await found({ locks })).toEqual({
      ...NOTHING,
      warnings: [expect.stringMatching(/^locks\.nodes\.0: is the same server as cache\.url/)],
    });
  });

  it('that asks for another password is told, without any', async () => {
    const guarded = await closedLater(startRedis({ password: 'right-one' }));
    const url = (credentials: string) => guarded.url.replace(':right-one@', credentials);
    expect(await found({ cache: url('') })).toEqual(fault(/^cache\.url: asks for a password/));
    const wrong = await found({ cache: url(':hunter2@') });
    expect(wrong).toEqual(fault(/^cache\.url: refuses the user or the password/));
    expect(JSON.stringify(wrong)).not.toMatch(/hunter2|right-one/);
  });

  it('that is not there, or says nothing, may only not be up yet', async () => {
    const nobody = `redis://127.0.0.1:${await findFreePort()}`;
    expect(await found({ cache: nobody })).toEqual(absent(/^cache\.url: .*refused/));
    const unknown = 'redis://no-such-host.invalid:6379';
    expect(await found({ cache: unknown })).toEqual(
      absent(/^cache\.url: .*host name is not known/),
    );
    const mute = createTcpServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    closing.push(() => Promise.resolve(mute.close()));
    const { port } = mute.address() as AddressInfo;
    expect(await found({ cache: `redis://127.0.0.1:${port}` })).toEqual(
      absent(/^cache\.url: does not answer in time/),
    );
  });
});

describe('a PostgreSQL', () => {
  it('that lets nobody in but with the right password and TLS says which of them it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-tls-'));
    closing.push(() => Promise.resolve(rmSync(folder, { recursive: true })));
    const file = (name: string) => join(folder, name);
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost'],
      ...['-keyout', file('key'), '-out', file('certificate')],
    ]);
    writeFileSync(
      file('hba'),
      'host postgres lockstep 127.0.0.1/32 trust\nhostssl all tls 127.0.0.1/32 trust\n' +
        'host all app 127.0.0.1/32 scram-sha-256\n',
    );
    const owner = postgresAccount('/nonexistent');
    for (const path of [folder, ...['key', 'certificate', 'hba'].map(file)])
      if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    const settings = [`hba_file=${file('hba')}`, 'ssl=on'];
    const files = [`ssl_cert_file=${file('certificate')}`, `ssl_key_file=${file('key')}`];
    const { url } = await closedLater(
      startPostgres({ args: [...settings, ...files].flatMap((each) => ['-c', each]) }),
    );
    await execute(url, ["create role app login password 'right-one'", 'create role tls login']);

    const wrong = await found({ database: account(url, 'app', 'hunter2') });
    expect(wrong).toEqual(fault(/^database\.connection: refuses the user or the password/));
    expect(JSON.stringify(wrong)).not.toContain('hunter2');
    const stranger = await found({ database: account(url, 'nobody_here') });
    expect(stranger).toEqual(fault(/^database\.connection: .*nobody_here/));
    expect(await found({ database: account(url, 'tls') })).toEqual(
      fault(/^database\.connection: accepts connections with TLS only/),
    );
    expect(await found({ database: `${account(url, 'tls')}?sslmode=verify-full` })).toEqual(
      fault(/^database\.connection: has a certificate that is not trusted here/),
    );
    expect(await found({ database: `${shop.url}?sslmode=require` })).toMatchObject({
      faults: [expect.stringMatching(/^database\.connection: does not speak TLS/)],
      warnings: [expect.stringMatching(/^database\.connection: is encrypted, but the certificate/)],
    });
  });

  it('that is a hot standby, or read-only by its settings, is told', async () => {
    const primary = await closedLater(startPostgres());
    await execute(primary.url, ['create table accounts (id bigint primary key)']);
    const standby = await startStandby(primary);
    closing.push(() => standby.server.stop());
    expect((await found({ database: standby.server.url })).faults).toEqual([
      expect.stringMatching(/^database\.connection: is a hot standby .*; allowed: the primary/),
    ]);
    await execute(primary.url, ['alter role lockstep set default_transaction_read_only = on']);
    expect((await found({ database: primary.url })).faults).toContainEqual(
      expect.stringMatching(/^database\.connection: is read-only/),
    );
  });
});

describe.runIf(isMysqlInstalled())('a MariaDB or MySQL', () => {
  it('that is a read-only replica, or refuses the account, is told', async () => {
    const primary = await closedLater(startMysql());
    const admin = primary.url.replace(/mysql$/, 'shop');
    await execute(primary.url, [
      'create database shop',
      'create table shop.accounts (id bigint primary key)',
      "create user app@'%' identified by 'right-one'",
    ]);
    const replica = await startMysqlReplica(primary);
    closing.push(() => replica.server.stop());
    expect((await found({ database: replica.server.url })).faults).toContainEqual(
      expect.stringMatching(/^database\.connection: is read-only/),
    );
    const wrong = await found({ database: account(admin, 'app', 'hunter2') });
    expect(wrong).toEqual(fault(/^database\.connection: refuses the user or the password/));
    const outsider = await found({ database: account(admin, 'app', 'right-one') });
    expect(outsider).toEqual(fault(/^database\.connection: does not let this user in/));
  });
});

describe.each(installedClients())('the tables of Lockstep’s own, with %s', (client) => {
  it('that a newer Lockstep has migrated are refused', async () => {
    const fresh = await freshDatabase(client);
    closing.push(() => fresh.drop());
    await execute(fresh.url, [
      'create table accounts (id bigint primary key)',
      'create table lockstep_migrations (id integer primary key, name varchar(255))',
      "insert into lockstep_migrations values (1, '0001_lockstep'), (2, '9999_tomorrow')",
    ]);
    expect(await found({ database: fresh.url })).toEqual(
      fault(/^database\.connection: was migrated by a newer Lockstep \(9999_tomorrow is not known/),
    );
  });
});
