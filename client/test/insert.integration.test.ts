import { describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { useBed } from './support/bed.ts';
import { heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

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
    await eventually(() => expect(bed.links.coordinator.connections).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 300));
    bed.links.coordinator.reset();
    bed.links.coordinator.heal();
    const { key } = await insert;
    const next = await client.insert('order', { item });
    expect(Number(next.key)).toBeLessThanOrEqual(Number(key) + 1);
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
