import { describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

export function describeBatch(bed: TestBed): void {
  describe('a batch', () => {
    test('answers each operation as its single call would, in order', async () => {
      const [id, profile, missing] = [newId(), newId(), newId()];
      const answer = await bed.api.post('/v1/batch', {
        operations: [
          { op: 'put', resource: 'account', key: id, value: { owner: 'Ada', balance: 1 } },
          { op: 'patch', resource: 'account', key: String(id), value: { $inc: { balance: 2 } } },
          { op: 'get', resource: 'account', key: id },
          { op: 'put', resource: 'profile', key: profile, value: { name: 'Ada' } },
          { op: 'get', resource: 'account', key: missing },
          { op: 'put', resource: 'part', key: [`r,${id}`, 's'], value: { stock: 3 } },
          { op: 'delete', resource: 'account', key: id },
        ],
      });
      expect(answer.status).toBe(200);
      expect(answer.body.results?.map((result) => result.status)).toEqual([
        201, 200, 200, 201, 404, 201, 200,
      ]);
      expect(answer.body.results?.[1]).toMatchObject({
        resource: 'account',
        version: 2,
        outcome: 'applied',
      });
      expect(answer.body.results?.[2]).toMatchObject({ version: 2, value: { owner: 'Ada' } });
      expect(answer.body.results?.[4]).toMatchObject({ code: 'NOT_FOUND' });
      expect((await bed.api.get('part', [`r,${id}`, 's'])).body.value).toMatchObject({ stock: 3 });
    });

    test('reads many rows, cached or not, as single calls do', async () => {
      const ids = Array.from({ length: 40 }, () => newId());
      const puts = ids.flatMap((id) => [
        { op: 'put', resource: 'account', key: id, value: { owner: `a${id}` } },
        { op: 'put', resource: 'profile', key: id, value: { name: `p${id}` } },
      ]);
      await bed.api.post('/v1/batch', { operations: puts });
      const absent = newId();
      const operations = [...ids, absent].flatMap((key) =>
        ['account', 'profile'].map((resource) => ({ op: 'get', resource, key })),
      );
      const sources = new Set<string | undefined>();
      for (let times = 0; times < 2; times += 1) {
        const answer = await bed.api.post('/v1/batch', { operations });
        const results = answer.body.results ?? [];
        expect(results).toHaveLength(operations.length);
        for (const [index, id] of ids.entries()) {
          expect(results[2 * index]?.value).toMatchObject({ owner: `a${id}` });
          expect(results[2 * index + 1]?.value).toMatchObject({ name: `p${id}` });
        }
        expect(results.slice(-2).map(({ status }) => status)).toEqual([404, 404]);
        for (const { source } of results.slice(0, -2)) sources.add(source);
        await Promise.all(ids.map((id) => bed.behind.cache.del(`profile:${id}`)));
      }
      expect(sources).toEqual(new Set(['cache', 'primary']));
    });

    test('that is not ordered applies each write of one key once, with its own version or error (W16)', async () => {
      for (const resource of ['account', 'part']) {
        const key = resource === 'account' ? newId() : [`r,${newId()}`, 's'];
        const [column, fits] = resource === 'account' ? ['balance', 'owner'] : ['stock', 'stock'];
        const first = resource === 'account' ? { owner: 'Ada', balance: 0 } : { stock: 0 };
        await bed.api.post('/v1/batch', {
          operations: [{ op: 'put', resource, key, value: first }],
        });
        const increment = { op: 'patch', resource, key, value: { $inc: { [column]: 1 } } };
        const refused = { op: 'patch', resource, key, value: { [fits]: { no: 'value' } } };
        const stale = { op: 'patch', resource, key, value: { [column]: -1 }, ifMatch: 0 };
        const operations = Array.from({ length: 30 }, (_, index) => {
          if (index === 7) return refused;
          if (index === 8) return stale;
          return index % 2 === 0
            ? increment
            : { ...increment, idempotencyKey: `unordered-${newId()}` };
        });
        const answer = await bed.api.post('/v1/batch', { ordered: false, operations });
        const results = answer.body.results ?? [];
        const applied = results.filter(({ status }) => status === 200);
        expect(applied).toHaveLength(28);
        expect(results[7]).toMatchObject({ status: 422, code: 'INVALID' });
        expect(results[8]).toMatchObject({ status: 412, code: 'VERSION_MISMATCH' });
        expect(new Set(applied.map(({ version }) => version)).size).toBe(28);
        expect((await bed.api.get(resource, key)).body.value).toMatchObject({ [column]: 28 });
      }
      const odd = await bed.api.post('/v1/batch', { ordered: 'no', operations: [] });
      expectProblem(odd, 'INVALID');
    });

    test('continues after a refused operation', async () => {
      const [id, other] = [newId(), newId()];
      const answer = await bed.api.post('/v1/batch', {
        operations: [
          { op: 'put', resource: 'account', key: id, value: { owner: 5 } },
          { op: 'put', resource: 'nothing', key: id, value: {} },
          { op: 'patch', resource: 'account', key: id, value: { owner: 'x' } },
          { op: 'put', resource: 'account', key: other, value: { owner: 'Ada' } },
        ],
      });
      expect(answer.status).toBe(200);
      expect(answer.body.results?.map((result) => [result.status, result.code])).toEqual([
        [422, 'INVALID'],
        [404, 'UNKNOWN_RESOURCE'],
        [404, 'NOT_FOUND'],
        [201, undefined],
      ]);
    });

    test('applies ifMatch to each operation', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      const operation = { op: 'patch', resource: 'account', key: id, value: { owner: 'Grace' } };
      const answer = await bed.api.post('/v1/batch', {
        operations: [
          { ...operation, ifMatch: 7 },
          { ...operation, ifMatch: 1 },
        ],
      });
      expect(answer.body.results?.map((result) => result.status)).toEqual([412, 200]);
      expect(answer.body.results?.[0]).toMatchObject({
        code: 'VERSION_MISMATCH',
        currentVersion: 1,
      });
    });

    test.each([[{}], [{ operations: 'all' }], [[]]])('%j is INVALID', async (body) => {
      expectProblem(await bed.api.post('/v1/batch', body), 'INVALID');
    });

    test.each([
      [null],
      [{ op: 'steal', resource: 'account', key: 1 }],
      [{ op: 'get', resource: 'account' }],
      [{ op: 'get', resource: 'account', key: {} }],
    ])('with an operation %j refuses that one', async (operation) => {
      const id = newId();
      const put = { op: 'put', resource: 'account', key: id, value: { owner: 'Ada' } };
      const answer = await bed.api.post('/v1/batch', { operations: [operation, put] });
      expect(answer.body.results?.map((result) => [result.status, result.code])).toEqual([
        [422, 'INVALID'],
        [201, undefined],
      ]);
    });

    test('is refused as a whole if it has too many operations', async () => {
      const operations = Array.from({ length: 1_001 }, () => ({
        op: 'get',
        resource: 'order',
        key: 1,
      }));
      const answer = await bed.api.post('/v1/batch', { operations });
      expect(['INVALID', 'TOO_LARGE']).toContain(answer.body.code);
    });
  });
}
