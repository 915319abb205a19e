import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Change,
  LockstepError,
  makeKey,
  type Key,
  type Resource,
} from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import type { Database } from '../open-database.ts';
import { openDatabase } from '../../dialects/index.ts';
import type { Refusal, RowWrite } from '../port.ts';
import {
  silentLog,
  openTestDatabase,
  type TestDatabase,
} from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { systemRuntime } from '../../runtime/index.ts';

/** Written by a trigger's author into the message; it must reach the caller, and nothing else of the row may. */
const AUTHOR = 'the author says';
const SECRET = 'row-value-4711';

interface Told {
  code: string;
  retryable: boolean;
  sqlState: string | undefined;
  message: string | undefined;
}

/** What became of a write, as one line to compare. */
const toldOf = (refusal: Refusal): Told => ({
  code: refusal.reason,
  retryable: false,
  sqlState: 'answer' in refusal ? refusal.answer?.sqlState : undefined,
  message: 'answer' in refusal ? refusal.answer?.message : undefined,
});

async function attempt(
  run: Promise<{ status: string; refusal?: Refusal }>,
): Promise<Told | string> {
  try {
    const result = await run;
    return result.refusal === undefined ? result.status : toldOf(result.refusal);
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    expect(String(error.stack) + JSON.stringify(error.cause)).not.toContain(SECRET);
    const { code, retryable, details } = error;
    return { code, retryable, sqlState: details.sqlState, message: details.message };
  }
}

let fences = 0;
/** A refused transaction stores its fence. */
const nextFence = (): number => (fences += 1);

/** Every way to write a row. */
const WAYS = {
  plain: (database: Database, write: RowWrite) => database.rows.write(write),
  strict: (database: Database, write: RowWrite) =>
    database.rows.write({ ...write, fence: nextFence() }),
  'with others': async (database: Database, write: RowWrite) => {
    const others = Array.from({ length: 6 }, (_, index) =>
      database.rows.write({ ...write, key: sibling(write.key, 20 + index) }),
    );
    const [result] = await Promise.allSettled([database.rows.write(write), ...others]);
    if (result?.status !== 'fulfilled') throw result?.reason;
    return result.value;
  },
  'in a transaction': (database: Database, write: RowWrite) =>
    database.rows.writeTogether({
      writes: [
        { ...write, key: sibling(write.key, 2), change: { op: 'patch', set: {}, increment: {} } },
        { ...write, fence: nextFence() },
      ],
    }),
} as const;
type Way = keyof typeof WAYS;
const WAY_NAMES = Object.keys(WAYS) as Way[];

const sibling = ({ resource }: Key, id: number): Key => makeKey(resource, [String(id)]);

async function bound(database: Database, names: readonly string[]): Promise<Map<string, Resource>> {
  const configs = names.map((name) =>
    config({ name, table: name, key: ['id'], cacheKey: `${name}:{id}`, invalidates: [] }),
  );
  const { resources, faults } = await bindResources(configs, database.catalog);
  expect(faults).toEqual([]);
  return new Map(resources.map((resource) => [resource.name, resource]));
}

const setTo = (
  resource: Resource,
  set: Record<string, string | number | null>,
  id = 1,
): RowWrite => ({
  key: makeKey(resource, [String(id)]),
  change: { op: 'patch', set, increment: {} },
  outbox: false,
});

describe.runIf(installedClients().includes('pg'))('what PostgreSQL refuses', () => {
  let database: TestDatabase;
  let resources: Map<string, Resource>;
  const of = (name: string): Resource => {
    const resource = resources.get(name);
    if (resource === undefined) throw new Error(`no resource ${name}`);
    return resource;
  };

  beforeAll(async () => {
    database = await openTestDatabase('pg');
    for (const sql of [
      `create function complain() returns trigger language plpgsql as $$ begin
         if new.code is not null then
           raise exception using errcode = new.code, message = '${AUTHOR} ' || new.code;
         end if; return new; end $$`,
      ...['before', 'after', 'deferred'].flatMap((when) => [
        `create table raised_${when} (id int primary key, code text)`,
        `insert into raised_${when} select g, null from generate_series(1, 40) g`,
      ]),
      'create trigger t before update on raised_before for each row execute function complain()',
      'create trigger t after update on raised_after for each row execute function complain()',
      `create constraint trigger t after update on raised_deferred deferrable initially deferred
         for each row execute function complain()`,
      'create table parents (id int primary key)',
      'insert into parents values (1)',
      `create table children (id int primary key, parent int references parents deferrable initially deferred)`,
      'insert into children select g, 1 from generate_series(1, 40) g',
      `create table made (id int primary key, n int, long text, owner text, json jsonb,
         check (n is null or 10 / n > 0))`,
      'create index on made (long)',
      `create function misbehave() returns trigger language plpgsql as $$ begin
         if new.n = 100 then perform 1 / 0; end if;
         if new.n = 101 then perform from no_such_table; end if;
         if new.n = 102 then execute 'select ''' || new.owner || ''' from nowhere'; end if;
         if new.n = 103 then perform new.owner::int; end if;
         if new.n = 104 then raise exception '${AUTHOR}: %', new.owner; end if;
         if new.n = 105 then perform lockstep_refuse('not admitted'); end if;
         if new.n = 106 then raise exception using errcode = 'LS001', message = '${AUTHOR}'; end if;
         if new.n = 107 then assert false, '${AUTHOR}'; end if;
         if new.n = 108 then insert into made (id) values (new.id); end if;
         if new.n = 109 then select 1 / id into strict new.n from made where false; end if;
         if new.n = 110 then perform currval('unused'); end if;
         if new.n = 111 then raise unique_violation using table = 'lockstep_idempotency', message = '${AUTHOR}'; end if;
         if new.n = 112 then commit; end if;
         return new; end $$`,
      'create sequence unused',
      'create trigger t before update on made for each row execute function misbehave()',
      `insert into made select g, 1, 'x', '${SECRET}' from generate_series(1, 40) g`,
    ]) {
      await database.execute(sql);
    }
    resources = await bound(database, [
      ...['raised_before', 'raised_after', 'raised_deferred', 'children', 'made'],
    ]);
  });
  afterAll(() => database?.drop());

  // Every class that the server knows, a code of each that it does not, and classes of nobody's.
  const classes =
    '01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58 72 F0 HV P0 XX LS PT ZZ 45 99';
  const lasts = '000 001 002 003 004 006 P01 P02 P03 501 505 014 Q7Z';
  const codes = classes.split(' ').flatMap((one) => lasts.split(' ').map((last) => one + last));

  describe.each(['before', 'after', 'deferred'])('raised by a trigger: %s', (when) => {
    it.each(WAY_NAMES)('is the callers whatever its SQLSTATE: %s', async (way) => {
      const resource = of(`raised_${when}`);
      const wrong: unknown[] = [];
      for (const code of codes) {
        const told = await attempt(WAYS[way](database, setTo(resource, { code })));
        const isRetried = code === '40001' || code === '40P01';
        const expected: Told = {
          code: isRetried ? 'DATABASE_UNAVAILABLE' : code === '42501' ? 'forbidden' : 'constraint',
          retryable: isRetried,
          sqlState: code,
          message: `${AUTHOR} ${code}`,
        };
        if (JSON.stringify(told) !== JSON.stringify(expected)) wrong.push({ expected, told });
      }
      expect(wrong).toEqual([]);
      expect(await database.rows.read(makeKey(resource, ['1']))).toMatchObject({
        row: { code: null },
      });
    });
  });

  it('T5: a transaction whose commit is refused has stored its fences and changed nothing', async () => {
    const key = makeKey(of('children'), ['3']);
    const change = { op: 'patch', set: { parent: 9 }, increment: {} } as const;
    const writes = [{ key, change, outbox: false, fence: 7_000_000 }];
    expect(await database.rows.writeTogether({ writes })).toMatchObject({
      status: 'refused',
      index: 0,
      refusal: { reason: 'constraint', kind: 'foreign-key', answer: { sqlState: '23503' } },
      versions: [0],
    });
    expect(await database.rows.read(key)).toMatchObject({
      version: 0,
      fence: 7_000_000,
      row: { parent: 1 },
    });
  });

  it('names no operation where a refused commit may be of several, and the one where it is of one', async () => {
    const change = { op: 'patch', set: { parent: 9 }, increment: {} } as const;
    const child = (id: number) => ({
      key: makeKey(of('children'), [String(id)]),
      change,
      outbox: false,
    });
    const other = setTo(of('made'), { long: 'y' });
    const together = (writes: RowWrite[]) => database.rows.writeTogether({ writes });
    expect(await together([child(3), child(4)])).toMatchObject({ status: 'refused', index: null });
    expect(await together([other, child(3)])).toMatchObject({ status: 'refused', index: 1 });
  });

  it.each(WAY_NAMES)('keeps a deferred constraint the same in every way: %s', async (way) => {
    expect(await attempt(WAYS[way](database, setTo(of('children'), { parent: 9 })))).toMatchObject({
      code: 'constraint',
      sqlState: '23503',
    });
  });

  it.each([
    [{ n: 100 }, 'constraint', '22012'],
    [{ n: 101 }, 'constraint', '42P01'],
    [{ n: 102 }, 'constraint', '42P01'],
    [{ n: 103 }, 'constraint', '22P02'],
    [{ n: 104 }, 'constraint', 'P0001'],
    [{ n: 105 }, 'constraint', 'LS001'],
    [{ n: 106 }, 'constraint', 'LS001'],
    [{ n: 107 }, 'constraint', 'P0004'],
    [{ n: 108 }, 'constraint', '23505'],
    [{ n: 109 }, 'constraint', 'P0002'],
    [{ n: 110 }, 'constraint', '55000'],
    [{ n: 111 }, 'constraint', '23505'],
    [{ n: 112 }, 'constraint', '2D000'],
    [{ n: 0 }, 'invalid', '22012'],
    [{ n: 99_999_999_999 }, 'invalid', '22003'],
  ] as const)('tells %j apart, and quotes no value', async (set, code, sqlState) => {
    for (const way of WAY_NAMES) {
      const told = await attempt(WAYS[way](database, setTo(of('made'), { ...set })));
      expect({ way, ...(told as Told) }).toMatchObject({ way, code, sqlState, retryable: false });
      if (sqlState !== 'P0001') expect(JSON.stringify(told)).not.toContain(SECRET);
    }
  });

  it('refuses a value that an index cannot hold', async () => {
    const long = Array.from({ length: 9_000 }, () => Math.random().toString(36).slice(2, 3)).join(
      '',
    );
    for (const way of WAY_NAMES) {
      expect(await attempt(WAYS[way](database, setTo(of('made'), { long })))).toMatchObject({
        code: 'invalid',
        sqlState: '54000',
      });
    }
  });

  describe('to an account with few rights', () => {
    let limited: Database;
    let few: Map<string, Resource>;
    beforeAll(async () => {
      const role = `few_${new URL(database.url).pathname.slice(1)}`.slice(0, 60);
      for (const sql of [
        `create role ${role} login password 'few'`,
        `grant select, insert, update, delete on all tables in schema public to ${role}`,
        `grant usage on all sequences in schema public to ${role}`,
        'create table readable (id int primary key, v int)',
        'insert into readable select g, 1 from generate_series(1, 40) g',
        `grant select on readable to ${role}`,
        'create table own_rows (id int primary key, v int)',
        'insert into own_rows select g, 1 from generate_series(1, 40) g',
        `grant select, insert, update, delete on own_rows to ${role}`,
        'alter table own_rows enable row level security',
        'create policy p on own_rows using (id < 30) with check (v < 5)',
      ]) {
        await database.execute(sql);
      }
      const url = new URL(database.url);
      url.username = role;
      url.password = 'few';
      limited = openDatabase({
        ...{ client: 'pg', connection: url.href, pool: { min: 0, max: 10 } },
        ...{
          statementTimeoutMs: 5_000,
          acquireTimeoutMs: 2_000,
          runtime: systemRuntime(silentLog),
        },
      });
      few = await bound(limited, ['readable', 'own_rows']);
    });
    afterAll(async () => {
      await limited?.close();
      const role = `few_${new URL(database.url).pathname.slice(1)}`.slice(0, 60);
      await database.execute(`drop owned by ${role}`);
      await database.execute(`drop role ${role}`);
    });

    it.each(WAY_NAMES)('is forbidden: %s', async (way) => {
      for (const name of ['readable', 'own_rows']) {
        const resource = few.get(name);
        if (resource === undefined) throw new Error('not bound');
        const told = await attempt(WAYS[way](limited, setTo(resource, { v: 7 })));
        expect({ name, told }).toMatchObject({ told: { code: 'forbidden', sqlState: '42501' } });
      }
    });

    it('finds no row that row security hides', async () => {
      const resource = few.get('own_rows');
      if (resource === undefined) throw new Error('not bound');
      expect(await limited.rows.write(setTo(resource, { v: 2 }, 35))).toMatchObject({
        refusal: { reason: 'not-found' },
      });
    });

    it('answers a read that is denied as forbidden', async () => {
      const resource = few.get('own_rows');
      if (resource === undefined) throw new Error('not bound');
      const role = `few_${new URL(database.url).pathname.slice(1)}`.slice(0, 60);
      await database.execute(`revoke select on own_rows from ${role}`);
      try {
        await expect(limited.rows.read(makeKey(resource, ['1']))).rejects.toMatchObject({
          code: 'FORBIDDEN_BY_DATABASE',
          retryable: false,
        });
      } finally {
        await database.execute(`grant select on own_rows to ${role}`);
      }
    });
  });
});

describe.runIf(installedClients().includes('mysql2'))('what MySQL and MariaDB refuse', () => {
  let database: TestDatabase;
  let resources: Map<string, Resource>;
  const of = (name: string): Resource => {
    const resource = resources.get(name);
    if (resource === undefined) throw new Error(`no resource ${name}`);
    return resource;
  };
  const numbers = [1, 999, 1000, 1040, 1053, 1062, 1105, 1146, 1205, 1213, 1290, 1317, 1644, 1927];
  numbers.push(2006, 2013, 3024, 3819, 4025, 30_001, 45_000, 65_534);
  const states = ['45000', '45001', 'PT402', 'LS001', '99999', 'ZZ999'];

  beforeAll(async () => {
    database = await openTestDatabase('mysql2');
    const cases = states.flatMap((state) =>
      numbers.map(
        (number) =>
          `when '${state}/${number}' then signal sqlstate '${state}' set message_text = '${AUTHOR}', mysql_errno = ${number};`,
      ),
    );
    const bare = [...states, 'HY000', '42000', '22001', '02001', '70100', '0A000', '40001'].map(
      (state) => `when '${state}' then signal sqlstate '${state}' set message_text = '${AUTHOR}';`,
    );
    const complain = (when: string): string =>
      `create trigger raised_${when}_t ${when} update on raised_${when} for each row
       begin case coalesce(new.code, '') ${bare.join(' ')} ${cases.join(' ')} else begin end; end case; end`;
    for (const sql of [
      ...['before', 'after'].flatMap((when) => [
        `create table raised_${when} (id int primary key, code varchar(20))`,
        `insert into raised_${when} (id) values ${Array.from({ length: 40 }, (_, n) => `(${n + 1})`).join(', ')}`,
        complain(when),
      ]),
      `create table made (id int primary key, n int, owner varchar(40), place point, code varchar(20) character set ascii)`,
      `insert into made (id, n, owner) values ${Array.from({ length: 40 }, (_, n) => `(${n + 1}, 1, '${SECRET}')`).join(', ')}`,
      `create trigger made_t before update on made for each row begin
         if new.n = 101 then set new.n = (select v from no_such_table); end if;
         if new.n = 102 then set new.n = (select id from made); end if;
         if new.n = 103 then update made set n = 1; end if;
         if new.n = 104 then signal sqlstate '45000' set message_text = '${AUTHOR}'; end if;
         if new.n = 105 then call no_such_procedure(); end if;
         if new.n = 106 then insert into made (id) values (new.id); end if;
       end`,
      `create table parted (id int primary key, n int) partition by range (id) (partition low values less than (40))`,
      `create table names (name varchar(20) character set ascii collate ascii_bin primary key, v int)`,
      `insert into names values ('abc', 1)`,
    ]) {
      await database.execute(sql);
    }
    resources = await bound(database, ['raised_before', 'raised_after', 'made', 'parted']);
    const { resources: named } = await bindResources(
      [
        config({
          name: 'names',
          table: 'names',
          key: ['name'],
          cacheKey: 'names:{name}',
          invalidates: [],
        }),
      ],
      database.catalog,
    );
    for (const resource of named) resources.set('names', resource);
  });
  afterAll(() => database?.drop());

  describe.each(['before', 'after'])('signalled by a trigger: %s', (when) => {
    it.each(WAY_NAMES)('is the callers whatever its SQLSTATE and number: %s', async (way) => {
      const wrong: unknown[] = [];
      const bare = [...states, 'HY000', '42000', '22001', '02001', '70100', '0A000', '40001'];
      const numbered = states.flatMap((state) => numbers.map((number) => `${state}/${number}`));
      for (const code of [...bare, ...numbered]) {
        const told = await attempt(WAYS[way](database, setTo(of(`raised_${when}`), { code })));
        const isRetried = code === '40001';
        const expected: Told = {
          code: isRetried ? 'DATABASE_UNAVAILABLE' : 'constraint',
          retryable: isRetried,
          sqlState: code.slice(0, 5),
          message: AUTHOR,
        };
        if (JSON.stringify(told) !== JSON.stringify(expected)) wrong.push({ code, expected, told });
      }
      expect(wrong).toEqual([]);
    });
  });

  it.each([
    [{ n: 101 }, 'constraint'],
    [{ n: 102 }, 'constraint'],
    [{ n: 103 }, 'constraint'],
    [{ n: 104 }, 'constraint'],
    [{ n: 105 }, 'constraint'],
    [{ n: 106 }, 'constraint'],
    [{ place: 'POINT(1 2)' }, 'invalid'],
    [{ code: 'é' }, 'invalid'],
  ] as const)('tells %j apart, and quotes no value', async (set, code) => {
    for (const way of WAY_NAMES) {
      const told = await attempt(WAYS[way](database, setTo(of('made'), { ...set })));
      expect({ way, ...(told as Told) }).toMatchObject({ way, code, retryable: false });
      expect(JSON.stringify(told)).not.toContain(SECRET);
    }
  });

  it.each(WAY_NAMES)('has no partition for a row: the callers, %s', async (way) => {
    const change: Change = { op: 'put', set: { n: 1 }, onlyCreate: false };
    await database.rows.write({ key: makeKey(of('parted'), ['2']), change, outbox: false });
    const told = await attempt(
      WAYS[way](database, { key: makeKey(of('parted'), ['50']), change, outbox: false }),
    );
    expect(told).toMatchObject({ code: 'constraint', retryable: false, sqlState: 'HY000' });
  });

  it.each(['é', '😀', 'naïve'])(
    'has no row under a key that its column cannot hold: %s',
    async (name) => {
      const key = makeKey(of('names'), [name]);
      expect(await database.rows.read(key)).toEqual({ version: 0, fence: 0, row: null });
      const [found, none] = await database.rows.readMany(of('names'), [
        makeKey(of('names'), ['abc']),
        key,
      ]);
      expect([found?.row, none?.row]).toEqual([{ name: 'abc', v: 1 }, null]);
      const put: RowWrite = {
        key,
        change: { op: 'put', set: { v: 1 }, onlyCreate: false },
        outbox: false,
      };
      expect(await attempt(database.rows.write(put))).toMatchObject({ code: 'invalid' });
    },
  );
});
