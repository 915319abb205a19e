/** The servers speak TLS only, and want a certificate of the client. The test's own authority has signed all certificates. */
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import {
  installedClients,
  makeCertificates,
  mysqlAccount,
  SERVER_NAME,
  startMysql,
  startPostgres,
  startRedis,
  type TestCertificates,
  type TestServer,
} from '@lockstep/testkit/servers';
import { postgresAccount } from '../../server/src/embedded/account.ts';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import { ApiClient } from '../support/api-client.ts';
import { runCli } from '../support/cli.ts';

const TABLE = 'create table accounts (id int primary key, balance int not null)';
const ROW = 'insert into accounts values (1, 10)';

let certificates: TestCertificates;
let folder = '';
const started: TestServer[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-encrypted-'));
  certificates = await makeCertificates();
});
afterAll(async () => {
  await Promise.all(started.map((server) => server.stop()));
  certificates?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function kept(starting: Promise<TestServer>): Promise<TestServer> {
  const server = await starting;
  started.push(server);
  return server;
}

interface EncryptedDatabase {
  /** Its user must show a client certificate. */
  connection: string;
  execute(sql: string): Promise<void>;
}

async function encryptedPostgres(): Promise<EncryptedDatabase> {
  const account = postgresAccount('/nonexistent');
  const { cert, key } = certificates.server(account);
  const hba = join(certificates.ca, '..', 'hba');
  // The administrator of the test comes in without TLS, but not to the database of the shop.
  writeFileSync(
    hba,
    'host postgres,template1 all 127.0.0.1/32 trust\nhostssl shop app 127.0.0.1/32 trust clientcert=verify-ca\n',
  );
  if (account !== undefined) chownSync(hba, account.uid, account.gid);
  const settings = {
    ssl: 'on',
    ssl_cert_file: cert,
    ssl_key_file: key,
    ssl_ca_file: certificates.ca,
    hba_file: hba,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { url } = await kept(startPostgres({ args }));
  const shop = (ssl: object) =>
    new pg.Client({ connectionString: withPath(url, 'shop', 'app'), ssl });
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query('create role app login superuser');
  await admin.query('create database shop owner app');
  await admin.end();
  return {
    connection: withPath(url, 'shop', 'app'),
    async execute(sql) {
      const client = shop({
        rejectUnauthorized: false,
        cert: readFileSync(certificates.client.cert),
        key: readFileSync(certificates.client.key),
      });
      await client.connect();
      await client.query(sql).finally(() => client.end());
    },
  };
}

async function encryptedMysql(): Promise<EncryptedDatabase> {
  const { cert, key } = certificates.server(mysqlAccount());
  const args = [`--ssl-cert=${cert}`, `--ssl-key=${key}`, `--ssl-ca=${certificates.ca}`];
  const { url } = await kept(startMysql({ args }));
  const execute = async (sql: string): Promise<void> => {
    const root = await createConnection({
      uri: withPath(url, 'mysql', 'root'),
      multipleStatements: true,
    });
    await root.query(sql).finally(() => root.end());
  };
  await execute(
    `create database shop; create user app@'%' require x509; grant all on *.* to app@'%'`,
  );
  return {
    connection: withPath(url, 'shop', 'app'),
    execute: (sql) => execute(`use shop; ${sql}`),
  };
}

function withPath(url: string, database: string, user: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  changed.username = user;
  return changed.href;
}

/** Its port without TLS is the test's own way to it. */
async function encryptedRedis(): Promise<string> {
  const { cert, key } = certificates.server();
  const port = await findFreePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key];
  const args = ['--tls-port', String(port), ...files, '--tls-ca-cert-file', certificates.ca];
  await kept(startRedis({ args: [...args, '--tls-auth-clients', 'yes'] }));
  return `rediss://127.0.0.1:${port}`;
}

describe.each(installedClients())('a coordinator of servers with mutual TLS, on %s', (client) => {
  let database: EncryptedDatabase;
  let redis: { cache: string; locks: string[] };
  let instance: Instance | undefined;
  let checks = 0;
  beforeAll(async () => {
    database = await (client === 'pg' ? encryptedPostgres() : encryptedMysql());
    const [cache = '', ...locks] = await Promise.all([1, 2, 3, 4].map(encryptedRedis));
    redis = { cache, locks };
    await database.execute(TABLE);
    await database.execute(ROW);
  });
  afterAll(() => instance?.dispose());

  const tls = () => ({ ca: certificates.ca, ...certificates.client, serverName: SERVER_NAME });
  const config = (changes: { database?: object; cache?: object; locks?: object } = {}) => ({
    database: { connection: database.connection, tls: tls(), ...changes.database },
    cache: { url: redis.cache, tls: tls(), ...changes.cache },
    locks: { nodes: redis.locks, tls: tls(), ...changes.locks },
    resources: { account: { table: 'accounts', key: ['id'], ttl: '1h', policy: 'strict' } },
    changeLog: { mode: 'on' },
  });

  async function check(changes: Parameters<typeof config>[0]): Promise<string> {
    const path = join(folder, `${client}-${(checks += 1)}.json`);
    writeFileSync(path, JSON.stringify(config(changes)));
    const { stdout, stderr } = await runCli(['check', '--config', path]);
    return stdout + stderr;
  }

  it('writes, reads, and follows the change log, by certificates in files', async () => {
    instance = await startInstance({ config: config() });
    const api = new ApiClient(instance.runtime.url, instance.runtime.adminToken);
    const written = await api.patch('account', 1, { $inc: { balance: 5 } });
    expect(written).toMatchObject({ status: 200, body: { value: { balance: 15 } } });
    // The change log begins with a sweep, which may remove what was just published.
    await eventually(async () =>
      expect(await api.get('account', 1)).toMatchObject({ body: { source: 'cache', version: 1 } }),
    );
    await database.execute('update accounts set balance = 99 where id = 1');
    await eventually(async () => {
      expect((await api.get('account', 1)).body.value).toMatchObject({ balance: 99 });
    });
    await api.close();
  });

  it('says which certificate is missing, and what is wrong with one', async () => {
    const { cert: _, key: _key, ...withoutClient } = tls();
    const wrong = [
      { cache: { tls: withoutClient } },
      { cache: { tls: { ...tls(), serverName: 'another.test' } } },
      { cache: { tls: { ...tls(), ca: certificates.client.cert } } },
      { database: { tls: { ...tls(), serverName: 'another.test' } } },
      { database: { tls: { ...tls(), ca: certificates.client.cert } } },
    ];
    const all: string[] = [];
    // One after the other: a busy machine that makes all at once makes none within its bound.
    for (const changes of wrong) all.push(await check(changes));
    expect(all).toEqual([
      // A server with TLS 1.3 tells of it only after the handshake, and may cut the connection first.
      expect.stringMatching(
        /cache\.url: (wants|closes the connection at once) .*client certificate/,
      ),
      expect.stringMatching(/cache\.url: has a certificate for another host name/),
      expect.stringMatching(/cache\.url: has a certificate that is not trusted here/),
      expect.stringMatching(/database\.connection: has a certificate for another host name/),
      expect.stringMatching(/database\.connection: has a certificate that is not trusted here/),
    ]);
    expect(all.join()).not.toMatch(/PRIVATE KEY|BEGIN|MII/);
  });

  it('is adopted by URLs that name the files of certificates', async () => {
    const { ca, client: own } = certificates;
    const files = { sslrootcert: ca, sslcert: own.cert, sslkey: own.key };
    const parameters = new URLSearchParams({ ...files, sslservername: SERVER_NAME }).toString();
    const out = join(folder, `${client}-proposed.yaml`);
    const servers = [database.connection, redis.cache].map((url) => `${url}?${parameters}`);
    const [databaseUrl = '', cacheUrl = ''] = servers;
    const init = await runCli([
      ...['init', '--database', databaseUrl, '--redis', cacheUrl, '--out', out],
    ]);
    expect(init).toMatchObject({ code: 0 });
    expect(readFileSync(out, 'utf8')).toContain(`sslcert=${encodeURIComponent(own.cert)}`);
    const { code, stdout, stderr } = await runCli(['check', '--config', out]);
    expect({ code, said: stdout + stderr }).toMatchObject({ code: 0 });
  });

  it('takes the same from the parameters of a URL, and warns of an unchecked certificate', async () => {
    const { ca, client: own } = certificates;
    const files = new URLSearchParams({ sslcert: own.cert, sslkey: own.key });
    const named = (parameters: string): object => ({
      connection: `${database.connection}?${files.toString()}&${parameters}`,
      tls: undefined,
    });
    const trusted = `sslmode=verify-ca&sslrootcert=${encodeURIComponent(ca)}`;
    expect(await check({ database: named(trusted) })).not.toMatch(/database\.connection: /);
    expect(await check({ database: named('sslmode=require') })).toMatch(
      /database\.connection: is encrypted, but the certificate of the server is not checked/,
    );
  });
});
