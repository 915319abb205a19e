import { describe, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId } from '../support/shop.ts';
import { describeCascades } from './side-effects/cascades.conformance.ts';
import { LINE_RESOURCES, SIDE_EFFECTS_RESOURCES, SIDE_EFFECTS_SQL } from './side-effects/tables.ts';

describe('triggers and computed keys on the embedded PostgreSQL', () => {
  const bed = useInstance(() => ({
    config: embeddedShop({ resources: SIDE_EFFECTS_RESOURCES.pg }),
    files: { 'shop.sql': SIDE_EFFECTS_SQL.pg.join(';\n') },
  }));
  const agreed = async (resource: string, key: number) => {
    const read = await bed.api.get(resource, key);
    const primary = await bed.api.get(resource, key, '?consistency=primary');
    expect([read.status, read.body.value]).toEqual([primary.status, primary.body.value]);
    return read.body.value;
  };

  describeCascades(bed);

  test.each(LINE_RESOURCES)('%s answers and caches what a trigger changed', async (resource) => {
    const id = newId();
    const created = await bed.api.put(resource, id, { qty: 1 });
    expect(created).toMatchObject({ status: 201, body: { value: { qty: 1, total: 10 } } });
    expect(await agreed(resource, id)).toEqual({ id, qty: 1, total: 10 });
    const headers = { 'idempotency-key': `${resource}-${id}` };
    const path = `/v1/resources/${resource}/${id}`;
    for (const _ of ['first', 'repeat']) {
      const changed = await bed.api.call('PATCH', path, { headers, body: { qty: 5 } });
      expect(changed).toMatchObject({ status: 200, body: { version: 2, value: { total: 50 } } });
      expect(await agreed(resource, id)).toEqual({ id, qty: 5, total: 50 });
    }
    const operations = [{ op: 'patch', resource, key: id, value: { $inc: { qty: 1 } } }];
    for (const way of ['/v1/batch', '/v1/transactions']) {
      const answer = await bed.api.post(way, { operations });
      const { qty, total } = answer.body.results?.[0]?.value ?? {};
      expect(total).toBe(Number(qty) * 10);
      expect(await agreed(resource, id)).toEqual({ id, qty, total });
    }
  });

  test('a row under another key, and a statement that a trigger cancels, are refused, and a retry cannot help', async () => {
    const id = newId();
    for (const answer of [
      await bed.api.put('page', `P${id}`, { body: 'x' }),
      await bed.api.put('page', `p${id}`, { body: 'never' }),
    ]) {
      expectProblem(answer, 'CONSTRAINT');
      expect(answer).toMatchObject({
        status: 409,
        body: { retryable: false, outcome: 'not_applied' },
      });
      expect(answer.body.detail).toContain('page_lower');
    }
    expect((await bed.api.get('page', `p${id}`)).status).toBe(404);
  });

  test('a delete that a trigger turns into an update answers the row, which stays readable', async () => {
    const id = newId();
    await bed.api.put('softly', id, {});
    const deleted = await bed.api.delete('softly', id);
    expect(deleted).toMatchObject({ status: 200, body: { outcome: 'applied', version: 2 } });
    expect(deleted.body.value?.deleted_at).not.toBeNull();
    expect(await agreed('softly', id)).toEqual(deleted.body.value);
  });

  test('a partitioned table takes puts', async () => {
    const id = newId();
    expect(await bed.api.put('event', [id, 'eu'], { body: 'a' })).toMatchObject({ status: 201 });
    expect(await bed.api.put('event', [id, 'eu'], { body: 'b' })).toMatchObject({ status: 200 });
    expectProblem(await bed.api.put('event', [id, 'asia'], { body: 'b' }), 'CONSTRAINT');
  });
});
