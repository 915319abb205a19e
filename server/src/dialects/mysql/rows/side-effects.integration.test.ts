import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { applied, patch, put, remove } from '../../../database/testing/row-store.ts';
import { sideEffectTable } from '../../../database/testing/side-effects.ts';

describe('writes on tables with triggers of MySQL and MariaDB', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase('mysql2');
  });
  afterAll(() => database?.drop());

  it('answer the row that BEFORE triggers made', async () => {
    const line = await sideEffectTable(database, 'line', [
      'create table line (id int primary key, qty int not null, total int)',
      'create trigger line_new before insert on line for each row set new.total = new.qty * 10',
      'create trigger line_old before update on line for each row set new.total = new.qty * 10',
    ]);
    expect(applied(await line.write(line.key(1), put({ qty: 2 }))).row).toMatchObject({
      total: 20,
    });
    expect(applied(await line.write(line.key(1), patch({ qty: 3 }))).row).toMatchObject({
      total: 30,
    });
    expect((await database.catalog.describeTable('line'))?.sideEffects.triggers).toEqual([
      'line_new',
      'line_old',
    ]);
  });

  it('are refused where a trigger stores the row under another key, and nothing is left', async () => {
    const page = await sideEffectTable(database, 'page', [
      'create table page (id varchar(20) collate utf8mb4_bin primary key, body text)',
      'create trigger page_lower before insert on page for each row set new.id = lower(new.id)',
      `create trigger page_moved before update on page for each row set new.id = if(new.body = 'moved', 'elsewhere', new.id)`,
    ]);
    const refused = {
      status: 'refused',
      refusal: { reason: 'key-changed', constraint: 'page_lower, page_moved' },
    };
    expect(await page.write(page.key('ABC'), put({ body: 'x' }))).toMatchObject(refused);
    expect(await page.row(page.key('abc'))).toBeNull();
    expect(applied(await page.write(page.key('abc'), put({ body: 'x' }))).created).toBe(true);
    expect(await page.write(page.key('abc'), patch({ body: 'moved' }))).toMatchObject(refused);
    const together = await page.together(
      [page.key('one'), put({ body: 'x' })],
      [page.key('TWO'), put({ body: 'x' })],
    );
    expect(together).toMatchObject({ ...refused, index: 1 });
    expect(await page.row(page.key('one'))).toBeNull();
  });

  it('are refused where a trigger signals', async () => {
    const kept = await sideEffectTable(database, 'kept', [
      'create table kept (id int primary key)',
      'insert into kept values (1)',
      `create trigger kept_stop before delete on kept for each row signal sqlstate '45000' set message_text = 'kept'`,
    ]);
    expect(await kept.write(kept.key(1), remove)).toMatchObject({
      status: 'refused',
      refusal: { reason: 'constraint' },
    });
    expect(await kept.row(kept.key(1))).toEqual({ id: 1 });
  });

  it('answer every row of a transaction as all of its triggers left it', async () => {
    const sums = await sideEffectTable(database, 'sums', [
      'create table sums (id int primary key, total int not null default 0)',
    ]);
    const part = await sideEffectTable(database, 'part', [
      'create table part (id int primary key, qty int)',
      'create trigger part_sum after insert on part for each row update sums set total = total + new.qty where id = 1',
    ]);
    const result = await database.rows.writeTogether({
      writes: [
        { key: sums.key(1), change: put({}), outbox: true },
        { key: part.key(1), change: put({ qty: 5 }), outbox: true },
        { key: part.key(2), change: put({ qty: 6 }), outbox: true },
      ],
    });
    expect(result).toMatchObject({ rows: [{ created: true, row: { total: 11 } }, {}, {}] });
    expect(await sums.row(sums.key(1))).toMatchObject({ total: 11 });
  });

  it('work on partitioned tables', async () => {
    const event = await sideEffectTable(
      database,
      'event',
      [
        `create table event (id int, region int, body varchar(20) default 'none', primary key (id, region)) partition by list (region) (partition eu values in (1), partition us values in (2))`,
      ],
      { key: ['id', 'region'] },
    );
    expect(applied(await event.write(event.key(1, 1), put({ body: 'a' }))).created).toBe(true);
    expect(applied(await event.write(event.key(1, 1), put({}))).row).toMatchObject({
      body: 'none',
    });
  });
});
