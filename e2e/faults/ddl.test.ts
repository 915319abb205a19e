import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { eventually } from '@lockstep/testkit/poll';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop } from '../support/shop.ts';

/** A change of a table, and row 4 of the table after it. Each case has a table of its own. */
interface TableChange {
  title: string;
  table: string;
  /** Its columns beside the key, at first. */
  columns: string;
  ddl: string;
  after: Record<string, unknown>;
}

const TABLE_CHANGES: TableChange[] = [
  {
    title: 'a wider type',
    table: 'widened',
    columns: 'n int not null',
    ddl: 'alter table widened alter column n type bigint',
    after: { id: 4, n: 0 },
  },
  {
    title: 'another form',
    table: 'formed',
    columns: 'n bigint not null',
    ddl: 'alter table formed alter column n type numeric(20, 2)',
    after: { id: 4, n: '0.00' },
  },
  {
    title: 'a new column',
    table: 'extended',
    columns: 'n int not null',
    ddl: 'alter table extended add column made int default 7',
    after: { id: 4, n: 0, made: 7 },
  },
  {
    title: 'another name',
    table: 'renamed',
    columns: 'n int not null, made int default 7',
    ddl: 'alter table renamed rename column made to since',
    after: { id: 4, n: 0, since: 7 },
  },
  {
    title: 'a column less',
    table: 'reduced',
    columns: 'n int not null, since int default 7',
    ddl: 'alter table reduced drop column since',
    after: { id: 4, n: 0 },
  },
];

const SQL = `
${TABLE_CHANGES.map(
  ({ table, columns }) => `create table ${table} (id int primary key, ${columns});
insert into ${table} (id, n) select id, 0 from generate_series(1, 4) as id;`,
).join('\n')}
create table fixed (id int primary key, a int, b int);
insert into fixed values (1, 1, 2);
create table numbered (id serial primary key, n int);
create table remade (id int primary key, n int);
insert into remade values (1, 0), (2, 0);
create table other (id int primary key, n int);
insert into other values (1, 1);
`;

const bed = useInstance(() => ({
  config: embeddedShop({
    resources: {
      ...Object.fromEntries(
        TABLE_CHANGES.map(({ table }) => [table, { table, key: ['id'], policy: 'strict' }]),
      ),
      fixed: { table: 'fixed', key: ['id'], columns: ['id', 'a', 'b'] },
      numbered: { table: 'numbered', key: ['id'], policy: 'strict' },
      other: { table: 'other', key: ['id'] },
      remade: { table: 'remade', key: ['id'], policy: 'strict' },
    },
  }),
  files: { 'shop.sql': SQL },
}));

const FOLLOWED = { withinMs: 90_000, everyMs: 20 };

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

  /** Reads and writes of the resource, until `end`. */
  function begin(resource: string): void {
    isOver = false;
    statuses.clear();
    const count = (status: number): void =>
      void statuses.set(status, (statuses.get(status) ?? 0) + 1);
    traffic = [1, 2, 3].map(async (id) => {
      while (!isOver) {
        count((await bed.api.patch(resource, id, { $inc: { n: 1 } })).status);
        count((await bed.api.get(resource, id)).status);
      }
    });
  }
  async function end(): Promise<void> {
    isOver = true;
    await Promise.all(traffic);
  }
  afterEach(end);

  test.each(TABLE_CHANGES)(
    'is picked up without a reload, and no call fails: $title (P11)',
    async ({ table, ddl, after }) => {
      await bed.api.get(table, 4);
      begin(table);
      await sql(ddl);
      await eventually(async () => expect(await value(table, 4)).toEqual(after), FOLLOWED);
      await end();
      expect([...statuses.keys()]).toEqual([200]);
    },
  );

  test('takes its keys from the default that it has now, and no insert fails (P11, W15)', async () => {
    const insert = async (): Promise<[number, string | undefined]> => {
      const { status, body } = await bed.api.post('/v1/resources/numbered', { n: 1 });
      return [status, body.code ?? String(body.key)];
    };
    expect(await insert()).toEqual([201, '1']);
    await sql('alter sequence numbered_id_seq rename to numbers');
    expect(await insert()).toEqual([201, '2']);
    await sql('create sequence others start 500');
    await sql(`alter table numbered alter column id set default nextval('others')`);
    await eventually(async () => expect(await insert()).toEqual([201, '500']), FOLLOWED);
    await sql('alter table numbered alter column id drop default');
    await eventually(async () => expect(await insert()).toEqual([422, 'INVALID']), FOLLOWED);
  });

  test('and is made anew serves the first call afterwards (P11)', async () => {
    for (const n of [1, 2, 3]) {
      await sql('drop table remade');
      await eventually(async () => {
        const reads = await Promise.all([1, 2].map((id) => bed.api.get('remade', id)));
        expect(reads.map(({ status }) => status)).toEqual([503, 503]);
      }, FOLLOWED);
      await sql(`create table remade (id int primary key, n int)`);
      await sql(`insert into remade values (1, ${n}), (2, 0)`);
      const [patched, read] = await Promise.all([
        bed.api.patch('remade', 2, { $inc: { n: 1 } }),
        bed.api.get('remade', 1),
      ]);
      expect([patched.status, patched.body.value]).toEqual([200, { id: 2, n: 1 }]);
      expect([read.status, read.body.value]).toEqual([200, { id: 1, n }]);
    }
  });

  test('that no longer fits its resource is reported for that resource only, until it fits again (P11)', async () => {
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
    // The first calls after the table fits again are served: nothing is refused for what an earlier look found.
    await sql('update fixed set a = 5');
    await sql('alter table fixed rename column c to b');
    expect(await value('fixed', 1)).toEqual({ id: 1, a: 5, b: 2 });
  });
});
