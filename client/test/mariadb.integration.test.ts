import { startMysql, isMysqlInstalled, type TestServer } from '@lockstep/testkit/servers';
import { createConnection } from 'mysql2/promise';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../src/index.ts';
import { failureOf } from './support/heard.ts';

const SQL = `CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
CREATE TABLE accounts (id bigint PRIMARY KEY, owner varchar(50) NOT NULL, balance bigint NOT NULL DEFAULT 0);
CREATE TABLE places (name varchar(50) PRIMARY KEY, size int NOT NULL);
CREATE TABLE flags (flag tinyint(1) PRIMARY KEY, note varchar(20) NOT NULL);`;

describe.runIf(isMysqlInstalled())('on MariaDB', () => {
  let database: TestServer;
  let instance: Instance;
  let client: Client;

  beforeAll(async () => {
    database = await startMysql();
    const connection = await createConnection({ uri: database.url, multipleStatements: true });
    await connection.query(SQL);
    await connection.end();
    const shop = new URL(database.url);
    shop.pathname = '/shop';
    instance = await startInstance({
      config: {
        database: { client: 'mysql2', connection: shop.href },
        cache: { mode: 'embedded', commandTimeout: '10s' },
        locks: { mode: 'embedded' },
        resources: {
          account: { table: 'accounts', key: ['id'], policy: 'strict' },
          place: { table: 'places', key: ['name'], policy: 'delete-after-write' },
          flag: { table: 'flags', key: ['flag'], policy: 'delete-after-write' },
        },
      },
    });
    const { url, serviceToken, cacheUrl } = instance.runtime;
    client = createClient({ url, token: serviceToken, redis: cacheUrl });
    await client.ready({ timeoutMs: 20_000 });
  });
  afterAll(async () => {
    await client.close();
    await instance.dispose();
    await database.stop();
  });

  test('rows are written in batches and read from the cache', async () => {
    const ids = Array.from({ length: 12 }, (_, n) => n + 1);
    await Promise.all(ids.map((id) => client.put('account', id, { owner: 'Ada', balance: id })));
    await Promise.all(ids.map((id) => client.patch('account', id, { $inc: { balance: 1 } })));
    const found = await client.getMany('account', ids);
    expect(found).toEqual(
      ids.map((id) => ({
        ...{ version: 2, source: 'cache', value: { id, owner: 'Ada', balance: id + 1 } },
      })),
    );
  });

  test('RP2: a text key in another case is another key, as it is for the coordinator', async () => {
    await client.put('place', 'Kreuzberg', { size: 7 });
    await client.get('place', 'Kreuzberg');
    for (const name of ['Kreuzberg', 'kreuzberg', 'Kreuzberg ']) {
      const direct = await client.get('place', name).catch((error: unknown) => error);
      const asked = await client
        .get('place', name, { consistency: 'primary' })
        .catch((error: unknown) => error);
      const valueOf = (row: unknown): unknown => (row as { value: unknown } | null)?.value ?? null;
      expect([name, valueOf(direct)]).toEqual([name, valueOf(asked)]);
    }
  });

  test('RP2: a boolean key is spelled by the coordinator', async () => {
    await client.put('flag', true, { note: 'on' });
    expect(await client.get('flag', 1)).toMatchObject({ value: { note: 'on' } });
    expect(await client.get('flag', true)).toMatchObject({ value: { note: 'on' } });
    expect(await failureOf(client.put('flag', 'neither', { note: '' }))).toMatchObject({
      code: 'INVALID',
    });
  });

  test('W21: a guard’s statement is a call of the procedure', async () => {
    await client.put('account', 501, { owner: 'Ada' });
    const { databaseUrl } = instance.runtime;
    const connection = await createConnection({ uri: databaseUrl });
    try {
      await client.guard([['account', 501]], async (guard) => {
        await connection.beginTransaction();
        await connection.query(...guard.sql('account', 501));
        await connection.query('update accounts set owner = ? where id = ?', ['Bea', 501]);
        await connection.commit();
      });
    } finally {
      await connection.end();
    }
    expect(await client.get('account', 501)).toMatchObject({ version: 2, value: { owner: 'Bea' } });
  });
});
