import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  keyFromRow,
  keyFromText,
  LockstepError,
  makeKey,
  type Key,
  type Resource,
} from '../../domain/index.ts';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { applied, patch, put, remove } from '../testing/row-store.ts';
import { config } from '@lockstep/testkit/database/tables';

interface KeyType {
  sql: string;
  /** Every spelling of one value; the first is the key's text. */
  spellings: [string, ...string[]];
  /** Another value. */
  other: string;
  /** What no row can have. */
  wrong: string[];
}

const KEY_TYPES: Record<DatabaseClient, KeyType[]> = {
  pg: [
    {
      sql: 'date',
      spellings: ['2026-01-02'],
      other: '0044-03-15 BC',
      wrong: ['2026-02-30', 'soon'],
    },
    { sql: 'date', spellings: ['infinity'], other: '12345-06-07', wrong: ['0000-01-01'] },
    {
      sql: 'timestamp',
      spellings: [
        '2026-01-02T03:04:05.678Z',
        '2026-01-02 03:04:05.678000Z',
        '2026-01-02T05:04:05.678+02:00',
      ],
      other: '2026-01-02T03:04:05.678901Z',
      wrong: ['2026-01-02', '2026-01-02T03:04:05', '2026-01-02T25:00:00Z'],
    },
    {
      sql: 'timestamptz',
      spellings: ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05Z'],
      other: '-infinity',
      wrong: ['x'],
    },
    {
      sql: 'time',
      spellings: ['03:04:05.5', '3:04:05.500', '03:04:05.50'],
      other: '24:00:00',
      wrong: ['25:00', '03:04:05+01'],
    },
    { sql: 'boolean', spellings: ['true', 't', '1', 'TRUE'], other: 'false', wrong: ['2', 'yes'] },
    { sql: 'numeric', spellings: ['1.1', '1.10', '01.100'], other: '-20', wrong: ['one', '1e2'] },
    { sql: 'bytea', spellings: ['AP8=', 'AP9='], other: 'AAEC', wrong: ['AP8', '_w=='] },
    { sql: 'mood', spellings: ['so, so'], other: 'good', wrong: ['bad'] },
    { sql: 'day', spellings: ['2026-01-02'], other: '2027-01-02', wrong: ['x'] },
    { sql: 'varchar(5)', spellings: ['é🚀'], other: 'b', wrong: ['longer'] },
  ],
  mysql2: [
    {
      sql: 'date',
      spellings: ['2026-01-02'],
      other: '0000-00-00',
      wrong: ['2026-02-30', 'infinity'],
    },
    {
      sql: 'datetime(6)',
      spellings: [
        '2026-01-02T03:04:05.678Z',
        '2026-01-02 03:04:05.678000Z',
        '2026-01-02T05:04:05.678+02:00',
      ],
      other: '2026-01-02T03:04:05.678901Z',
      wrong: ['2026-01-02T03:04:05', 'x'],
    },
    {
      sql: 'timestamp',
      spellings: ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05Z'],
      other: '2026-01-02T03:04:06.000Z',
      wrong: ['x'],
    },
    {
      sql: 'time(3)',
      spellings: ['03:04:05.5', '3:04:05.500'],
      other: '-838:59:59',
      wrong: ['soon'],
    },
    { sql: 'tinyint(1)', spellings: ['true', '1', 'TRUE'], other: '2', wrong: ['128', 'yes'] },
    {
      sql: 'decimal(20,5)',
      spellings: ['12345678901234.1', '12345678901234.10'],
      other: '-20',
      wrong: ['one'],
    },
    { sql: 'binary(3)', spellings: ['AP8A'], other: 'AAEC', wrong: ['A'] },
    { sql: 'varbinary(9)', spellings: ['AP8=', 'AP9='], other: 'AP8A', wrong: ['AP8', '_w=='] },
    { sql: 'year', spellings: ['2026'], other: '0', wrong: ['70000'] },
    { sql: `enum('a','1')`, spellings: ['a'], other: '1', wrong: ['2', 'b'] },
    {
      sql: 'varchar(9) character set ascii collate ascii_bin',
      spellings: ['abc'],
      other: 'd',
      wrong: ['é', '🚀'],
    },
    {
      sql: 'varchar(9) character set latin1 collate latin1_bin',
      spellings: ['é€'],
      other: '?',
      wrong: ['你', '🚀'],
    },
    {
      sql: 'varchar(9) character set utf8mb3 collate utf8mb3_bin',
      spellings: ['你'],
      other: '?',
      wrong: ['🚀'],
    },
    {
      sql: 'varchar(9) character set sjis collate sjis_bin',
      spellings: ['日本'],
      other: '?',
      wrong: ['é🚀'],
    },
  ],
};

describe.each(installedClients())('keys on %s', (client) => {
  let database: TestDatabase;
  let tables = 0;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    if (client === 'pg') {
      await database.execute(`create type mood as enum ('good', 'so, so')`);
      await database.execute('create domain day as date');
    }
  });
  afterAll(() => database?.drop());

  async function keyedBy(type: string): Promise<Resource> {
    const table = `keyed_${++tables}`;
    await database.execute(`create table ${table} (k ${type} primary key, n integer)`);
    const { resources, faults } = await bindResources(
      [config({ name: table, table, key: ['k'], cacheKey: `${table}:{k}` })],
      database.catalog,
    );
    expect(faults).toEqual([]);
    const [resource] = resources;
    if (resource === undefined) throw new Error('no resource');
    return resource;
  }

  const write = (key: Key, change: Parameters<typeof database.rows.write>[0]['change']) =>
    database.rows.write({ key, change, outbox: false });

  it.each(KEY_TYPES[client])(
    'J4: of $sql have one text for each row, whatever its spelling: $spellings.0',
    async ({ sql, spellings, other, wrong }) => {
      const resource = await keyedBy(sql);
      const [canonical] = spellings;
      const key = makeKey(resource, [canonical]);
      const second = makeKey(resource, [other]);
      for (const spelling of spellings) {
        expect(makeKey(resource, [spelling])).toMatchObject({
          text: key.text,
          cacheKey: key.cacheKey,
        });
      }
      expect(second.text).not.toBe(key.text);
      expect(keyFromText(resource, key.text).parts).toEqual(key.parts);

      expect(await database.rows.read(key)).toMatchObject({ row: null });
      const { row } = applied(await write(key, put({ n: 1 })));
      expect(row).not.toBeNull();
      expect(row && keyFromRow(resource, row)?.text).toBe(key.text);
      applied(await write(second, put({ n: 2 })));
      const isMade = applied(await write(key, put({ n: 3 })));
      expect(isMade).toMatchObject({ created: false, version: 2, row: { n: 3 } });
      applied(await write(key, patch({ n: 4 })));
      expect((await database.rows.read(key)).row).toMatchObject({ n: 4 });
      const many = await database.rows.readMany(resource, [second, key]);
      expect(many.map((each) => each.row?.n)).toEqual([2, 4]);
      // Writes of one moment share a statement on PostgreSQL.
      const together = await Promise.all([key, second].map((each) => write(each, patch({ n: 5 }))));
      expect(together.map((each) => applied(each).row?.n)).toEqual([5, 5]);
      const sampled = await database.rows.sampleKeys(resource, 10);
      expect(sampled.map(({ text }) => text).sort()).toEqual([key.text, second.text].sort());

      for (const text of wrong) {
        let unheld: Key;
        try {
          unheld = makeKey(resource, [text]);
        } catch (error) {
          expect(error instanceof LockstepError && error.code, text).toBe('INVALID');
          continue;
        }
        expect((await database.rows.read(unheld)).row, text).toBeNull();
        const among = await database.rows.readMany(resource, [unheld, key]);
        expect(among.map((each) => each.row?.n ?? null)).toEqual([null, 5]);
        expect(await write(unheld, put({ n: 6 })), text).toMatchObject({
          status: 'refused',
          refusal: { reason: 'invalid' },
        });
        expect(await write(unheld, patch({ n: 6 })), text).toMatchObject({ status: 'refused' });
        expect(await write(unheld, remove), text).toMatchObject({ status: 'refused' });
      }
      applied(await write(key, remove));
      expect((await database.rows.read(key)).row).toBeNull();
      expect((await database.rows.read(second)).row).toMatchObject({ n: 5 });
    },
  );

  it.runIf(client === 'pg').each(['timetz', 'float8', 'jsonb', 'inet', 'int[]'])(
    'of %s are refused by name',
    async (type) => {
      const table = `refused_${++tables}`;
      await database.execute(`create table ${table} (k ${type} primary key)`);
      const { faults } = await bindResources(
        [config({ name: table, table, key: ['k'], cacheKey: `${table}:{k}` })],
        database.catalog,
      );
      expect(faults).toEqual([
        {
          path: `resources.${table}.key`,
          message: expect.stringMatching(/^k is of type .*; allowed: whole/) as unknown,
        },
      ]);
    },
  );
});
