import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { useBed } from './support/bed.ts';
import { heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();
let database: pg.Pool;
beforeAll(() => {
  database = new pg.Pool({ connectionString: bed.instance.runtime.databaseUrl, max: 1 });
});
afterAll(() => database.end());

/** The keys of the orders of an item, as the database has them. */
async function rowsOf(item: string): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>('select id from orders where item = $1', [
    item,
  ]);
  return rows.map(({ id }) => id);
}

describe('an insert', () => {
  test('answers the key that the database made, and travels with the others', async () => {
    const client = await bed.ready();
    const batches = await heard('lockstep:batch', async () => {
      const [tea, milk] = await Promise.all([
        client.insert('order', { item: 'tea' }),
        client.insert('order', { item: 'milk' }),
      ]);
      expect(tea).toMatchObject({ created: true, version: 1, value: { item: 'tea' } });
      expect(tea.key).not.toBe(milk.key);
      expect(await client.get('order', milk.key)).toMatchObject({ value: { item: 'milk' } });
    });
    expect(batches[0]).toMatchObject({ kind: 'writes', operations: 2 });
  });

  test('whose answer is lost is repeated by its idempotency key, and makes one row', async () => {
    const client = await bed.ready();
    const item = `item ${newId()}`;
    bed.links.coordinator.set('down', { stalled: true });
    const insert = client.insert('order', { item });
    await eventually(async () => expect(await rowsOf(item)).toHaveLength(1));
    bed.links.coordinator.reset();
    bed.links.coordinator.heal();
    const { key } = await insert;
    expect(await rowsOf(item)).toEqual([key]);
  });

  test('can be one of a transaction', async () => {
    const client = await bed.ready();
    const [order] = await client.transaction([
      { op: 'insert', resource: 'order', value: { item: 'tea' } },
      { op: 'put', resource: 'account', key: newId(), value: { owner: 'Ada' } },
    ]);
    expect(order).toMatchObject({ created: true, value: { item: 'tea' } });
  });
});
