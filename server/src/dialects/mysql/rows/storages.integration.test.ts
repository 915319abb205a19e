import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { installedClients } from '@lockstep/testkit/servers';
import { describe, expect, it } from 'vitest';

/** Names in every kind of letter that MySQL and MariaDB write otherwise in the name of a file. */
const NAMES = ['plain', 'Upper_Case', 'a-b c', 'at@home', 'dot.and#p#hash', "it's", '1st'];

describe.runIf(installedClients().includes('mysql2'))('storages of mysql2', () => {
  it('are other ones after a truncate, whatever the table is called', async () => {
    const database = await openTestDatabase('mysql2');
    try {
      const schema = schemaOf(database);
      for (const name of NAMES) {
        await database.execute(`create table \`${name}\` (id int primary key)`);
        await database.execute(`create table \`${name}2\` (id int primary key)`);
      }
      const ids = NAMES.flatMap((name) => [`${schema}.${name}`, `${schema}.${name}2`]);
      const before = await database.catalog.storages(ids);
      expect([...before.keys()]).toEqual(expect.arrayContaining(ids));
      for (const name of NAMES) await database.execute(`truncate table \`${name}\``);
      const after = await database.catalog.storages(ids);
      for (const name of NAMES) {
        expect(after.get(`${schema}.${name}`)).not.toBe(before.get(`${schema}.${name}`));
        expect(after.get(`${schema}.${name}2`)).toBe(before.get(`${schema}.${name}2`));
      }
    } finally {
      await database.drop();
    }
  });

  it('are other ones after a partition was emptied or exchanged', async () => {
    const database = await openTestDatabase('mysql2');
    try {
      const schema = schemaOf(database);
      await database.execute(
        'create table parts (id int primary key) partition by range (id) (partition low values less than (10), partition high values less than (20))',
      );
      await database.execute('create table other (id int primary key)');
      const storage = async () =>
        (await database.catalog.storages([`${schema}.parts`])).get(`${schema}.parts`);
      const seen = new Set([await storage()]);
      await database.execute('alter table parts truncate partition low');
      seen.add(await storage());
      await database.execute('alter table parts exchange partition high with table other');
      seen.add(await storage());
      expect(seen.size).toBe(3);
      expect([...seen]).not.toContain(undefined);
    } finally {
      await database.drop();
    }
  });
});

function schemaOf({ url }: TestDatabase): string {
  return new URL(url).pathname.slice(1);
}
