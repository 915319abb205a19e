import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import { openWorld, until, type World } from './testing/world.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';

/** A type of key, a key, its value in SQL, and another key. */
const KEYS: Record<DatabaseClient, [type: string, key: string, sql: string, other: string][]> = {
  pg: [
    ['date', '0044-03-15 BC', `'0044-03-15 BC'`, '2026-01-02'],
    ['timestamp', '2026-01-02T03:04:05.678Z', `'2026-01-02 03:04:05.678'`, 'infinity'],
    ['timestamptz', '2026-01-02T03:04:05.000Z', `'2026-01-02 05:04:05+02'`, '-infinity'],
    ['time', '03:04:05.5', `'03:04:05.500'`, '00:00:00'],
    ['boolean', 'true', 'true', 'false'],
    ['numeric(10,2)', '1.1', '1.10', '2'],
    ['bytea', 'AP8=', `'\\x00ff'`, 'AP8A'],
  ],
  mysql2: [
    ['date', '2026-01-02', `'2026-01-02'`, '2026-01-03'],
    ['datetime', '2026-01-02T03:04:05.000Z', `'2026-01-02 03:04:05'`, '2026-01-02T03:04:06.000Z'],
    [
      'datetime(3)',
      '2026-01-02T03:04:05.678Z',
      `'2026-01-02 03:04:05.678'`,
      '2026-01-02T03:04:06.000Z',
    ],
    [
      'timestamp(6)',
      '2026-01-02T03:04:05.678901Z',
      `'2026-01-02 03:04:05.678901'`,
      '2026-01-02T03:04:06.000Z',
    ],
    ['time', '-12:00:01', `'-12:00:01'`, '00:00:00'],
    ['tinyint(1)', '2', '2', 'true'],
    ['decimal(10,2)', '1.1', '1.10', '2'],
    ['binary(4)', 'AP8AAA==', `x'00ff0000'`, 'AP8AAQ=='],
    ['varbinary(9)', 'AP8=', `x'00ff'`, 'AP8A'],
    ['year', '0', '0', '2026'],
  ],
};

describe.each(installedClients())('keys of other types in the log of %s', (client) => {
  const kinds = KEYS[client].map((kind, index) => ({ kind, name: `kind${index}` }));
  let world: World;
  beforeAll(async () => {
    world = await openWorld(client, silentLog, {
      ddl: kinds.map(
        ({ name, kind: [type] }) =>
          `create table ${name} (k ${type} primary key, owner ${client === 'pg' ? 'text' : 'varchar(100)'})`,
      ),
      configs: kinds.map(({ name }) => ({
        name,
        table: name,
        key: ['k'],
        cacheKey: `${name}:{k}`,
        invalidates: [],
      })),
    });
    const log = world.follow();
    await until(() => log.report().state === 'streaming', 'following the log');
  });
  afterAll(() => world?.close());

  it.each(kinds)(
    'C1, J4: a change of the row $kind.1 of $kind.0 is told to its entry, and to no other',
    async ({ name, kind: [, text, sql, otherText] }) => {
      const key = world.key(name, text);
      const other = world.key(name, otherText);
      const set = `insert into ${name} (k, owner) values (${sql}, 'before')`;
      await world.database.sql.run({ pg: set, mysql2: set });
      await world.put(other, 'untouched');
      await world.cached(key);
      await world.cached(other);
      const change = `update ${name} set owner = 'after' where k = ${sql}`;
      await world.database.sql.run({ pg: change, mysql2: change });
      await until(async () => (await world.owner(key)) === 'after');
      expect(await world.entry(other)).toMatchObject({ state: 'value' });
    },
  );
});
