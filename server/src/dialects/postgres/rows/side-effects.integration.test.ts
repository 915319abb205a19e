import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { applied, patch, put, remove } from '../../../database/testing/row-store.ts';
import { sideEffectTable } from '../../../database/testing/side-effects.ts';

const trigger = (name: string, when: string, body: string): string[] => [
  `create function ${name}() returns trigger language plpgsql as $$ begin ${body} end $$`,
  `create trigger ${name} ${when} execute function ${name}()`,
];

/** An order line whose total a trigger makes after the statement. */
const lines = (name: string, when = 'after insert or update of qty'): string[] => [
  `create table ${name} (id int primary key, qty int not null, total int)`,
  ...trigger(
    `${name}_total`,
    `${when} on ${name} for each row`,
    `update ${name} set total = new.qty * 10 where id = new.id; return null;`,
  ),
];

describe('writes on tables with triggers and rules of PostgreSQL', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase('pg');
  });
  afterAll(() => database?.drop());

  it('answer and remember the row that an AFTER trigger left, for insert and update (W13)', async () => {
    const line = await sideEffectTable(database, 'line', lines('line'), {
      invalidates: ['total:{total}'],
    });
    const key = line.key(1);
    const created = applied(await line.write(key, put({ qty: 2 })));
    expect(created).toMatchObject({ created: true, version: 1, row: { qty: 2, total: 20 } });
    const idempotency = { key: 'line-once', requestHash: 'h' };
    const changed = applied(await line.write(key, patch({ qty: 5 }), { idempotency, fence: 7 }));
    expect(changed).toMatchObject({
      created: false,
      version: 2,
      row: { qty: 5, total: 50 },
      related: { before: { total: 20 }, after: { total: 50 } },
    });
    expect(await line.row(key)).toEqual(changed.row);
    expect(await database.rows.findOutcome('line-once')).toMatchObject({
      result: { version: 2, fence: 7, row: { total: 50 } },
    });
    expect(await line.write(key, patch({ qty: 6 }), { idempotency })).toMatchObject({
      status: 'replayed',
    });
    const replaced = applied(await line.write(key, put({ qty: 8 }), { ifMatch: 2 }));
    expect(replaced).toMatchObject({ created: false, version: 3, row: { total: 80 } });
    expect(await line.write(key, patch({ qty: 9 }), { ifMatch: 2 })).toMatchObject({
      refusal: { reason: 'version-mismatch' },
    });
    expect(await line.write(key, patch({ qty: 9 }), { fence: 7 })).toMatchObject({
      status: 'fenced',
    });
    expect(await line.write(key, put({ qty: 9 }, true))).toMatchObject({
      refusal: { reason: 'exists' },
    });
    const { rows } = await database.sql.run({
      pg: `select related ->> 'after' as after from lockstep_outbox where resource = 'line' order by id`,
      mysql2: '',
    });
    expect(rows.map(({ after }) => JSON.parse(after ?? '') as unknown)).toEqual([
      { total: 20 },
      { total: 50 },
      { total: 80 },
    ]);
  });

  it('answer what a deferred trigger leaves at the commit', async () => {
    const line = await sideEffectTable(database, 'late', [
      'create table late (id int primary key, qty int, total int)',
      'create function late_total() returns trigger language plpgsql as $$ begin update late set total = new.qty * 10 where id = new.id; return null; end $$',
      'create constraint trigger late_total after insert or update of qty on late deferrable initially deferred for each row execute function late_total()',
    ]);
    expect(applied(await line.write(line.key(1), put({ qty: 1 }))).row).toMatchObject({
      total: 10,
    });
    const result = await line.together(
      [line.key(1), patch({ qty: 3 })],
      [line.key(2), put({ qty: 4 })],
    );
    expect(result).toMatchObject({ rows: [{ row: { total: 30 } }, { row: { total: 40 } }] });
  });

  it('answer every row of a transaction as all of its triggers left it', async () => {
    const basket = await sideEffectTable(database, 'basket', [
      'create table basket (id int primary key, parent int, qty int, total int default 0)',
      ...trigger(
        'basket_sum',
        'after insert or update of qty on basket for each row',
        'update basket set total = total + new.qty where id = new.parent; return null;',
      ),
    ]);
    const result = await basket.together(
      [basket.key(1), put({ qty: 0 })],
      [basket.key(2), put({ parent: 1, qty: 5 })],
      [basket.key(3), put({ parent: 1, qty: 6 })],
    );
    expect(result).toMatchObject({ rows: [{ row: { total: 11 } }, {}, {}] });
    expect(await basket.row(basket.key(1))).toMatchObject({ total: 11 });
  });

  it('combine nothing, so that many at once are each answered as the commit left them', async () => {
    const line = await sideEffectTable(database, 'busy', lines('busy'));
    const ids = Array.from({ length: 20 }, (_, index) => index);
    await Promise.all(ids.map((id) => line.write(line.key(id), put({ qty: id }))));
    const results = await Promise.all(
      ids.map((id) => line.write(line.key(id), patch({ qty: id + 1 }))),
    );
    expect(results.map((result) => applied(result).row?.total)).toEqual(
      ids.map((id) => (id + 1) * 10),
    );
  });

  it('are refused where a BEFORE trigger stores the row under another key', async () => {
    const page = await sideEffectTable(database, 'page', [
      'create table page (id text primary key, body text)',
      ...trigger(
        'page_lower',
        'before insert or update on page for each row',
        'new.id := lower(new.id); if new.body = $b$moved$b$ then new.id := $b$elsewhere$b$; end if; return new;',
      ),
    ]);
    const refused = {
      status: 'refused',
      refusal: { reason: 'key-changed', constraint: 'page_lower' },
    };
    expect(await page.write(page.key('ABC'), put({ body: 'x' }))).toMatchObject(refused);
    expect(await page.row(page.key('abc'))).toBeNull();
    expect(applied(await page.write(page.key('abc'), put({ body: 'x' }))).version).toBe(1);
    expect(await page.write(page.key('ABC'), put({ body: 'y' }))).toMatchObject({
      status: 'refused',
    });
    expect(await page.write(page.key('abc'), patch({ body: 'moved' }))).toMatchObject(refused);
    expect(await page.row(page.key('abc'))).toMatchObject({ body: 'x' });
    const together = await page.together(
      [page.key('one'), put({ body: 'x' })],
      [page.key('TWO'), put({ body: 'x' })],
    );
    expect(together).toMatchObject({ ...refused, index: 1 });
    expect(await page.row(page.key('one'))).toBeNull();
  });

  it('are refused, and tried no more, where a trigger cancels the statement', async () => {
    const fixed = await sideEffectTable(database, 'fixed', [
      'create table fixed (id int primary key, body text)',
      `insert into fixed values (1, 'a')`,
      ...trigger(
        'fixed_stop',
        'before insert or update or delete on fixed for each row',
        'return null;',
      ),
    ]);
    const cancelled = {
      status: 'refused',
      refusal: { reason: 'cancelled', constraint: 'fixed_stop' },
    };
    expect(await fixed.write(fixed.key(1), patch({ body: 'b' }))).toMatchObject(cancelled);
    expect(await fixed.write(fixed.key(1), put({ body: 'b' }))).toMatchObject(cancelled);
    expect(await fixed.write(fixed.key(2), put({ body: 'b' }))).toMatchObject(cancelled);
    expect(await fixed.write(fixed.key(1), remove)).toMatchObject(cancelled);
    expect(await fixed.together([fixed.key(1), remove])).toMatchObject({ ...cancelled, index: 0 });
    expect(await database.rows.read(fixed.key(1))).toMatchObject({
      version: 0,
      fence: 0,
      row: { id: 1, body: 'a' },
    });
    // The row has what was asked for.
    expect(applied(await fixed.write(fixed.key(1), patch({ body: 'a' }))).version).toBe(1);
    expect(applied(await fixed.write(fixed.key(1), put({ body: 'a' }))).version).toBe(2);
  });

  it('take an update that changes nothing for applied where a trigger suppresses it', async () => {
    const quiet = await sideEffectTable(database, 'quiet', [
      'create table quiet (id int primary key, rate numeric(10, 2), doc json)',
      'create trigger quiet_skip before update on quiet for each row execute function suppress_redundant_updates_trigger()',
    ]);
    await quiet.write(quiet.key(1), put({ rate: '0.20', doc: { a: 1 } }));
    const result = applied(await quiet.write(quiet.key(1), patch({ rate: '0.2', doc: { a: 1 } })));
    expect(result).toMatchObject({ version: 2, row: { rate: '0.20' } });
    expect(applied(await quiet.write(quiet.key(1), patch({ rate: '0.3' }))).row?.rate).toBe('0.30');
  });

  it('answer the row of a delete that a trigger turned into an update, also of a hidden column', async () => {
    const softly = await sideEffectTable(
      database,
      'softly',
      [
        'create table softly (id int primary key, body text, deleted_at timestamptz)',
        `insert into softly values (1, 'a', null)`,
        ...trigger(
          'softly_mark',
          'before delete on softly for each row',
          'update softly set deleted_at = now() where id = old.id; return null;',
        ),
      ],
      { columns: ['id', 'body'] },
    );
    expect(applied(await softly.write(softly.key(1), remove))).toMatchObject({
      version: 1,
      row: { id: 1, body: 'a' },
    });
    expect(await softly.together([softly.key(1), remove])).toMatchObject({
      rows: [{ version: 2, row: { id: 1, body: 'a' } }],
    });
  });

  it('answer no row where a trigger removed it after the update, and refuse the insert', async () => {
    const stock = await sideEffectTable(database, 'stock', [
      'create table stock (id int primary key, qty int)',
      'insert into stock values (1, 5)',
      ...trigger(
        'stock_empty',
        'after insert or update on stock for each row',
        'delete from stock where id = new.id and qty = 0; return null;',
      ),
    ]);
    expect(applied(await stock.write(stock.key(1), patch({ qty: 0 })))).toMatchObject({
      version: 1,
      created: false,
      row: null,
    });
    expect(await stock.write(stock.key(2), put({ qty: 0 }))).toMatchObject({
      refusal: { reason: 'key-changed' },
    });
    expect(applied(await stock.write(stock.key(2), put({ qty: 1 })))).toMatchObject({
      created: true,
    });
  });

  it('go through rules: those that add, that cancel, and that put another statement in the place', async () => {
    const ruled = await sideEffectTable(database, 'ruled', [
      'create table ruled (id int primary key, body text, gone boolean default false)',
      'create table ruled_log (id int, body text)',
      'create rule ruled_insert as on insert to ruled do also insert into ruled_log values (new.id, new.body)',
      `create rule ruled_update as on update to ruled where new.body = 'never' do instead nothing`,
      'create rule ruled_delete as on delete to ruled do instead update ruled set gone = true where id = old.id',
    ]);
    const key = ruled.key(1);
    expect(applied(await ruled.write(key, put({ body: 'a' })))).toMatchObject({
      created: true,
      row: { body: 'a' },
    });
    expect(applied(await ruled.write(key, put({ body: 'b' })))).toMatchObject({ created: false });
    expect(await ruled.write(key, patch({ body: 'never' }))).toMatchObject({
      refusal: { reason: 'cancelled', constraint: 'ruled_delete, ruled_insert, ruled_update' },
    });
    expect(applied(await ruled.write(key, patch({ body: 'c' }))).row).toMatchObject({ body: 'c' });
    expect(applied(await ruled.write(key, remove)).row).toMatchObject({ body: 'c', gone: true });
  });

  it('that race with another program for a new row end as updates of it', async () => {
    const line = await sideEffectTable(database, 'raced', lines('raced'));
    let write: ReturnType<typeof line.write> | undefined;
    await database.sql.transaction(async (session) => {
      await session.run({ pg: 'insert into raced values (1, 7, 70)', mysql2: '' });
      write = line.write(line.key(1), put({ qty: 8 }));
      const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await expect
        .poll(async () => (await database.sql.run({ pg: waiting })).rows.length)
        .toBeGreaterThan(0);
    });
    expect(applied(await (write ?? Promise.reject(new Error('not sent'))))).toMatchObject({
      created: false,
      row: { qty: 8, total: 80 },
    });
  });

  it('leave the row as their own, also where a trigger wrote it in a subtransaction', async () => {
    const line = await sideEffectTable(database, 'guarded', [
      'create table guarded (id int primary key, qty int not null, total int)',
      ...trigger(
        'guarded_total',
        'after insert or update of qty on guarded for each row',
        'begin update guarded set total = new.qty where id = new.id; exception when others then null; end; return null;',
      ),
    ]);
    const key = line.key(1);
    await line.write(key, put({ qty: 1 }));
    expect((await database.rows.read(key)).tag).toBeUndefined();
    expect(applied(await line.write(key, patch({ qty: 2 }), { ifMatch: 1 })).version).toBe(2);
    await database.execute('update guarded set total = 7 where id = 1');
    const { tag } = await database.rows.read(key);
    expect(tag).toBeDefined();
    expect(await line.write(key, patch({ qty: 3 }), { ifMatch: 2 })).toMatchObject({
      refusal: { reason: 'version-mismatch', currentVersion: 2, currentTag: tag },
    });
    const seen = await line.write(key, patch({ qty: 3 }), {
      ifMatch: 2,
      ...(tag === undefined ? {} : { ifMatchTag: tag }),
    });
    expect(applied(seen).row).toMatchObject({ qty: 3, total: 3 });
    expect(applied(await line.write(key, remove)).version).toBe(4);
    expect((await database.rows.read(key)).tag).toBeUndefined();
  });

  it('are asked `verify` when all has fired', async () => {
    const line = await sideEffectTable(database, 'verified', lines('verified'));
    const no = await line.write(line.key(1), put({ qty: 1 }), {
      verify: () => Promise.resolve(false),
    });
    expect(no).toEqual({ status: 'unverified' });
    expect(await line.row(line.key(1))).toBeNull();
    const yes = await line.write(line.key(1), put({ qty: 1 }), {
      verify: () => Promise.resolve(true),
    });
    expect(applied(yes).row).toMatchObject({ total: 10 });
  });

  it('of tables without any stay one statement, and triggers that never fire do not count', async () => {
    await sideEffectTable(database, 'still', [
      ...lines('still'),
      'alter table still disable trigger still_total',
      'create table still_parent (id int primary key)',
    ]);
    await sideEffectTable(database, 'firing', lines('firing'));
    expect((await database.catalog.describeTable('still'))?.sideEffects.triggers).toEqual([]);
    expect((await database.catalog.describeTable('firing'))?.sideEffects.triggers).toEqual([
      'firing_total',
    ]);
  });
});

describe('writes on partitioned tables of PostgreSQL', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase('pg');
  });
  afterAll(() => database?.drop());

  const events = (name: string): string[] => [
    `create table ${name} (id int, region text, body text default 'none', primary key (id, region)) partition by list (region)`,
    `create table ${name}_eu partition of ${name} for values in ('eu')`,
    `create table ${name}_us partition of ${name} for values in ('us') partition by range (id)`,
    `create table ${name}_us_low partition of ${name}_us for values from (0) to (100)`,
  ];

  it.each([{ invalidates: [] }, { invalidates: ['body:{body}'] }])(
    'create, replace and only create, and tell which it was ($invalidates)',
    async ({ invalidates }) => {
      const name = `event${invalidates.length}`;
      const event = await sideEffectTable(database, name, events(name), {
        key: ['id', 'region'],
        invalidates,
      });
      for (const region of ['eu', 'us']) {
        const key = event.key(1, region);
        expect(applied(await event.write(key, put({ body: 'a' }, true)))).toMatchObject({
          created: true,
          version: 1,
          row: { body: 'a' },
        });
        expect(applied(await event.write(key, put({})))).toMatchObject({
          created: false,
          version: 2,
          row: { body: 'none' },
          related: { before: invalidates.length > 0 ? { body: 'a' } : null },
        });
        expect(await event.write(key, put({ body: 'b' }, true))).toMatchObject({
          refusal: { reason: 'exists' },
        });
        expect(applied(await event.write(key, patch({ body: 'c' }))).row).toMatchObject({
          body: 'c',
        });
        expect(applied(await event.write(key, remove))).toMatchObject({ version: 4, row: null });
      }
      const together = await event.together(
        [event.key(5, 'eu'), put({ body: 'x' })],
        [event.key(5, 'us'), put({ body: 'y' })],
      );
      expect(together).toMatchObject({ rows: [{ created: true }, { created: true }] });
      const many = await Promise.all(
        Array.from({ length: 30 }, (_, id) =>
          event.write(event.key(id % 10, 'eu'), put({ body: `${id}` })),
        ),
      );
      expect(many.filter((result) => applied(result).created)).toHaveLength(9);
    },
  );

  it('refuse a row that no partition takes, and change nothing', async () => {
    const event = await sideEffectTable(database, 'lost', events('lost'), {
      key: ['id', 'region'],
    });
    const refused = { status: 'refused', refusal: { reason: 'constraint', kind: 'check' } };
    expect(await event.write(event.key(1, 'asia'), put({ body: 'a' }))).toMatchObject(refused);
    expect(await event.write(event.key(100, 'us'), put({ body: 'a' }))).toMatchObject(refused);
    expect((await database.rows.read(event.key(100, 'us'))).version).toBe(0);
  });

  it('answer what a trigger of a leaf left', async () => {
    const event = await sideEffectTable(
      database,
      'leaf',
      [
        ...events('leaf'),
        ...trigger(
          'leaf_upper',
          'after insert or update of body on leaf_us_low for each row',
          'update leaf set body = upper(new.body) where id = new.id and region = new.region and body <> upper(new.body); return null;',
        ),
      ],
      { key: ['id', 'region'] },
    );
    expect(applied(await event.write(event.key(1, 'us'), put({ body: 'a' }))).row).toMatchObject({
      body: 'A',
    });
    expect(applied(await event.write(event.key(1, 'eu'), put({ body: 'a' }))).row).toMatchObject({
      body: 'a',
    });
  });

  it('work on a partition by its own name, with the triggers of its parents', async () => {
    const statements = [
      ...events('own'),
      ...trigger(
        'own_upper',
        'after insert or update of body on own for each row',
        'update own set body = upper(new.body) where id = new.id and region = new.region and body <> upper(new.body); return null;',
      ),
    ];
    const event = await sideEffectTable(database, 'own_eu', statements, { key: ['id', 'region'] });
    expect(applied(await event.write(event.key(1, 'eu'), put({ body: 'a' }))).row).toMatchObject({
      body: 'A',
    });
    expect(await event.write(event.key(1, 'us'), put({ body: 'a' }))).toMatchObject({
      refusal: { reason: 'constraint', kind: 'check' },
    });
    const [whole, part] = await Promise.all(
      ['own', 'own_eu'].map((table) => database.catalog.describeTable(table)),
    );
    expect(part?.id).toBe(whole?.id);
  });
});
