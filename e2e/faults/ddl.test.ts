import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { eventually } from '../support/poll.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop } from '../support/shop.ts';

const SQL = `
create table counter (id int primary key, n int not null);
insert into counter select id, 0 from generate_series(1, 4) as id;
create table fixed (id int primary key, a int, b int);
insert into fixed values (1, 1, 2);
create table other (id int primary key, n int);
insert into other values (1, 1);
`;

const bed = useInstance(() => ({
  config: embeddedShop({
    resources: {
      counter: { table: 'counter', key: ['id'], policy: 'strict' },
      fixed: { table: 'fixed', key: ['id'], columns: ['id', 'a', 'b'] },
      other: { table: 'other', key: ['id'] },
    },
  }),
  files: { 'shop.sql': SQL },
}));

const FOLLOWED = { withinMs: 45_000, everyMs: 20 };

async function sql(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

const value = async (resource: string, id: number): Promise<unknown> =>
  ((await bed.api.get(resource, id)).body as { value: unknown }).value;

beforeEach(() => untilAllIsWell(bed));

describe('a table that changes while it is in use', () => {
  const statuses = new Map<number, number>();
  let isOver = false;
  let traffic: Promise<void>[] = [];

  /** Reads and writes, until `end`. */
  function begin(): void {
    isOver = false;
    statuses.clear();
    const count = (status: number): void =>
      void statuses.set(status, (statuses.get(status) ?? 0) + 1);
    traffic = [1, 2, 3].map(async (id) => {
      while (!isOver) {
        count((await bed.api.patch('counter', id, { $inc: { n: 1 } })).status);
        count((await bed.api.get('counter', id)).status);
      }
    });
  }
  async function end(): Promise<void> {
    isOver = true;
    await Promise.all(traffic);
  }
  afterEach(end);

  test.each([
    ['a wider type', 'alter table counter alter column n type bigint', { id: 4, n: 0 }],
    [
      'another form',
      'alter table counter alter column n type numeric(20, 2)',
      { id: 4, n: '0.00' },
    ],
    [
      'a new column',
      `alter table counter add column made int default 7`,
      { id: 4, n: '0.00', made: 7 },
    ],
    [
      'another name',
      'alter table counter rename column made to since',
      { id: 4, n: '0.00', since: 7 },
    ],
    ['a column less', 'alter table counter drop column since', { id: 4, n: '0.00' }],
  ])('is followed without a reload, and no call fails: %s (P11)', async (_, ddl, after) => {
    await bed.api.get('counter', 4);
    begin();
    await sql(ddl);
    await eventually(async () => expect(await value('counter', 4)).toEqual(after), FOLLOWED);
    await end();
    expect([...statuses.keys()]).toEqual([200]);
  });

  test('that does not fit any more is named by its resource alone, until it fits again (P11)', async () => {
    await bed.api.get('fixed', 1);
    await sql('alter table fixed rename column b to c');
    await eventually(async () => {
      const { status, text } = await bed.api.get('fixed', 1);
      expect([status, text]).toEqual([503, expect.stringMatching(/fixed.*no column b/)]);
    }, FOLLOWED);
    expect((await bed.api.patch('other', 1, { n: 2 })).status).toBe(200);
    const named = await bed.anonymous.call('GET', '/readyz?verbose');
    expect(named.status).toBe(200);
    const detail = expect.stringMatching(/^fixed: columns there is no column b/) as string;
    const { checks } = JSON.parse(named.text) as { checks: unknown };
    expect(checks).toContainEqual({ name: 'tables', ok: false, required: false, detail });
    await sql('update fixed set a = 5');
    await sql('alter table fixed rename column c to b');
    await eventually(
      async () => expect(await value('fixed', 1)).toEqual({ id: 1, a: 5, b: 2 }),
      FOLLOWED,
    );
  });
});
