import type { JsonValue } from '@lockstep/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config } from '@lockstep/testkit/database/tables';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { installedClients, type DatabaseClient } from '@lockstep/testkit/servers';
import {
  type Comparison,
  type Condition,
  makeKey,
  parseValue,
  type Resource,
} from '../../domain/index.ts';
import { bindResources } from '../configuration/bind-resources.ts';
import { patch } from '../testing/row-store.ts';

/** A column's type with three values in their order, as callers spell them. */
interface Ordered {
  sql: string;
  values: [low: JsonValue, mid: JsonValue, high: JsonValue];
}

const COMMON: Ordered[] = [
  { sql: 'integer', values: [-2, 7, 30] },
  { sql: 'bigint', values: [-5, '9007199254740993', '9007199254740994'] },
  { sql: 'decimal(30,2)', values: ['-0.50', '90071992547409931.25', '90071992547409931.26'] },
  { sql: 'double precision', values: [-1.5, 0.1, 1e30] },
  { sql: 'varchar(20)', values: ['Abe', 'b', 'ш'] },
  { sql: 'char(10)', values: ['a', 'b', 'c'] },
  { sql: 'date', values: ['1999-12-31', '2026-01-02', '2026-01-03'] },
  { sql: 'time', values: ['00:00:01', '03:04:05', '23:59:59'] },
];
const TYPES: Record<DatabaseClient, Ordered[]> = {
  pg: [
    ...COMMON,
    { sql: 'real', values: [-1.5, 0.1, 3] },
    {
      sql: 'timestamptz',
      values: ['2026-01-02T03:04:04Z', '2026-01-02T04:04:05+01:00', '2026-01-02T03:04:06Z'],
    },
    { sql: 'mood', values: ['bad', 'so, so', 'good'] },
    {
      sql: 'uuid',
      values: [
        '00000000-0000-0000-0000-000000000001',
        'AAAAAAAA-0000-0000-0000-000000000001',
        'b0000000-0000-0000-0000-000000000001',
      ],
    },
    { sql: 'bytea', values: ['AAE=', 'AP8=', '/w=='] },
  ],
  mysql2: [
    ...COMMON,
    { sql: 'bigint unsigned', values: [1, '9223372036854775808', '18446744073709551615'] },
    {
      sql: 'datetime(3)',
      values: ['2026-01-02T03:04:04Z', '2026-01-02T03:04:05.123Z', '2026-01-02T03:04:06Z'],
    },
    { sql: 'varbinary(4)', values: ['AAE=', 'AP8=', '/w=='] },
    { sql: 'year', values: [1999, 2026, 2027] },
  ],
};
/** In MySQL's own order, which is not PostgreSQL's. */
const SETUP: Record<DatabaseClient, string[]> = {
  pg: [`create type mood as enum ('bad', 'so, so', 'good')`],
  mysql2: [],
};

describe.each(installedClients())('filters on %s', (client) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    for (const statement of SETUP[client]) await database.execute(statement);
  });
  afterAll(() => database?.drop());

  let tables = 0;
  async function tableOf(sql: string): Promise<Resource> {
    tables += 1;
    const table = `filtered_${tables}`;
    await database.execute(`create table ${table} (id integer primary key, v ${sql})`);
    const bound = await bindResources(
      [config({ name: table, table, cacheKey: `${table}:{id}` })],
      database.catalog,
    );
    expect(bound.faults).toEqual([]);
    const [resource] = bound.resources;
    if (resource === undefined) throw new Error('no resource');
    return resource;
  }
  function valueOf(resource: Resource, given: JsonValue): JsonValue {
    const parsed = parseValue(columnV(resource), given);
    if ('fault' in parsed) throw new Error(parsed.fault);
    return parsed.value;
  }
  const columnV = ({ columns }: Resource) => {
    const column = columns.find(({ name }) => name === 'v');
    if (column === undefined) throw new Error('no column v');
    return column;
  };
  const keyOf = (resource: Resource, id: number) => makeKey(resource, [String(id)]);
  const fill = async (resource: Resource, values: readonly JsonValue[]): Promise<void> => {
    for (const [index, value] of values.entries()) {
      const set = { v: value === null ? null : valueOf(resource, value) };
      const change = { op: 'put' as const, set, onlyCreate: true };
      const write = { key: keyOf(resource, index + 1), change, outbox: false };
      expect(await database.rows.write(write)).toMatchObject({ status: 'applied' });
    }
  };
  const found = async (resource: Resource, condition: Condition): Promise<string[]> =>
    (await database.rows.findKeys(resource, [condition], 10)).map(({ text }) => text);
  /** Which of the rows 1 to 4 a transaction finds to match, once they are locked. */
  const locked = async (resource: Resource, condition: Condition): Promise<string[]> => {
    const ids = [1, 2, 3, 4];
    const result = await database.rows.writeTogether({
      writes: ids.map((id) => ({
        ...{ key: keyOf(resource, id), change: patch({}), outbox: false },
      })),
      where: [condition],
    });
    const unmatched = result.status === 'unmatched' ? result.indexes : [];
    return ids.filter((_, index) => !unmatched.includes(index)).map(String);
  };

  it.each(TYPES[client])('compare a column of $sql in its own order', async ({ sql, values }) => {
    const resource = await tableOf(sql);
    await fill(resource, [...values, null]);
    const [low, mid, high] = values.map((value) => valueOf(resource, value)) as [
      JsonValue,
      JsonValue,
      JsonValue,
    ];
    const column = columnV(resource);
    const compared = (is: Comparison): Condition => ({ column, is, value: mid });
    const expected: [Condition, string[]][] = [
      [compared('$eq'), ['2']],
      [compared('$ne'), ['1', '3']],
      [compared('$lt'), ['1']],
      [compared('$lte'), ['1', '2']],
      [compared('$gt'), ['3']],
      [compared('$gte'), ['2', '3']],
      [{ column, is: '$in', values: [low, high] }, ['1', '3']],
      [{ column, is: 'null' }, ['4']],
      [{ column, is: 'not-null' }, ['1', '2', '3']],
    ];
    for (const [condition, ids] of expected) {
      expect([condition.is, await found(resource, condition)]).toEqual([condition.is, ids]);
      expect([condition.is, await locked(resource, condition)]).toEqual([condition.is, ids]);
    }
  });

  it('compare booleans', async () => {
    const resource = await tableOf('boolean');
    await fill(resource, [true, false, null]);
    const column = columnV(resource);
    expect(await found(resource, { column, is: '$eq', value: true })).toEqual(['1']);
    expect(await found(resource, { column, is: '$ne', value: true })).toEqual(['2']);
  });

  it('answer keys in the order of the key, and no more than were asked for', async () => {
    const resource = await tableOf('integer');
    await fill(resource, Array<number>(12).fill(1));
    const condition: Condition = { column: columnV(resource), is: '$eq', value: 1 };
    const keys = await database.rows.findKeys(resource, [condition], 11);
    expect(keys.map(({ text }) => Number(text))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it.runIf(client === 'mysql2')('never match what a column’s characters cannot hold', async () => {
    const resource = await tableOf('varchar(20) character set latin1');
    await fill(resource, ['?', 'b']);
    const column = columnV(resource);
    const other: Condition = { column, is: '$eq', value: 'ш' };
    expect(await found(resource, other)).toEqual([]);
    expect(await found(resource, { column, is: '$in', values: ['ш', 'b'] })).toEqual(['2']);
  });

  it('W24: change no row of a transaction one of whose rows does not match once it is locked', async () => {
    const resource = await tableOf('integer');
    await fill(resource, [1, 1]);
    const column = columnV(resource);
    const result = await database.rows.writeTogether({
      writes: [1, 2].map((id) => ({
        ...{ key: keyOf(resource, id), change: patch({}, { v: '1' }), outbox: true },
      })),
      where: [
        { column, is: '$eq', value: 1 },
        { column: resource.columns[0] ?? column, is: '$lt', value: 2 },
      ],
    });
    expect(result).toEqual({ status: 'unmatched', indexes: [1] });
    expect(await database.rows.read(keyOf(resource, 1))).toMatchObject({
      ...{ version: 1, row: { v: 1 } },
    });
  });
});
