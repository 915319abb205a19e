import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { bindResources } from '../configuration/bind-resources.ts';

const ROUNDS = 30;
const READERS = 3;

describe.each(installedClients())('tables that come and go, on %s', (client) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    await database.execute('create table lasting (id int primary key, n int)');
  });
  afterAll(() => database?.drop());

  /** Drops the table and makes it anew, while `look` is done again and again. */
  async function looksWhileItIsMadeAnew(columns: string, look: () => Promise<void>): Promise<void> {
    const made = `create table fleeting (${columns})`;
    await database.execute(made);
    let isOver = false;
    const lookOn = async (): Promise<void> => {
      while (!isOver) await look();
    };
    const looks = Promise.allSettled(Array.from({ length: READERS }, lookOn));
    for (let round = 0; round < ROUNDS; round++) {
      await database.execute('drop table fleeting');
      await database.execute(made);
    }
    isOver = true;
    const results = await looks;
    await database.execute('drop table fleeting');
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
  }

  it.each([
    ['plain columns', 'id int primary key, n int'],
    [
      'a number that it gives itself, an index and a reference',
      client === 'pg'
        ? 'id serial primary key, l int references lasting (id) on delete cascade, n int unique'
        : 'id int auto_increment primary key, l int, n int unique, foreign key (l) references lasting (id) on delete cascade',
    ],
  ])('are described, or are not there: with %s', async (_, columns) => {
    await looksWhileItIsMadeAnew(columns, async () => {
      const described = await database.catalog.describeTable('fleeting');
      if (described === null) return;
      expect(described.columns[0]?.name).toBe('id');
      await database.catalog.foreignKeyActions([described.id]);
    });
  });

  it('leave the other resources as they are', async () => {
    const names = ['lasting', 'fleeting'];
    const resources = names.map((name) =>
      config({ name, table: name, key: ['id'], cacheKey: `${name}:{id}` }),
    );
    await looksWhileItIsMadeAnew('id int primary key, n int', async () => {
      const bound = await bindResources(resources, database.catalog);
      expect(bound.resources.map(({ name }) => name)).toContain('lasting');
    });
  });
});
