import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMysqlInstalled } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

const OTHERS = 150;

describe.skipIf(!isMysqlInstalled())('a database among very many tables', () => {
  let database: TestDatabase;
  let direct: Connection;
  beforeAll(async () => {
    database = await openTestDatabase('mysql2');
    direct = await createConnection({ uri: database.url, multipleStatements: true });
    const others = Array.from(
      { length: OTHERS },
      (_, index) => `create table other_${index} (id int primary key, doc json)`,
    );
    await direct.query(others.join(';'));
    await direct.query(
      `create table accounts (id int primary key, doc json, n int, check (n > 0));
       create table plain (id int primary key, doc longtext)`,
    );
  });
  afterAll(async () => {
    await direct?.end();
    await database?.drop();
  });

  async function opened(): Promise<number> {
    const [rows] = await direct.query<RowDataPacket[]>(
      `show global status where variable_name in ('Opened_tables', 'Opened_table_definitions')`,
    );
    return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
  }

  it('opens the configured tables to describe them, and no other', async () => {
    await direct.query('flush tables');
    const before = await opened();
    const { resources, faults } = await bindResources(
      [config(), config({ name: 'plain', table: 'plain', cacheKey: 'plain:{id}' })],
      database.catalog,
    );
    expect(faults).toEqual([]);
    expect(resources[0]?.columns.map(({ type }) => type)).toEqual(['integer', 'json', 'integer']);
    expect(resources[1]?.columns.map(({ type }) => type)).toEqual(['integer', 'text']);
    // Others of the run's shared server come and go beside it.
    expect((await opened()) - before).toBeLessThan(OTHERS);
  });
});
