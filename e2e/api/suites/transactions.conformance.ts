import { describe, expect, test } from 'vitest';
import { cell, type Answer } from '../../support/api-client.ts';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

export function describeTransactions(bed: TestBed): void {
  const transact = (operations: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    bed.api.post('/v1/transactions', { operations }, headers);
  const account = (id: number, value: object, rest: object = {}): object => ({
    ...{ op: 'put', resource: 'account', key: id, value },
    ...rest,
  });
  const add = (id: number, balance: number, rest: object = {}): object => ({
    ...{ op: 'patch', resource: 'account', key: id, value: { $inc: { balance } } },
    ...rest,
  });
  /** Two accounts that hold 100 together. */
  const pair = async (): Promise<[number, number]> => {
    const ids: [number, number] = [newId(), newId()];
    const created = await transact([
      account(ids[0], { owner: 'Ada', balance: 100 }),
      account(ids[1], { owner: 'Grace', balance: 0 }),
    ]);
    expect(created.body.results?.map(({ status }) => status)).toEqual([201, 201]);
    return ids;
  };

  describe('a transaction', () => {
    test('applies writes of several keys, resources and policies together, in order (T1)', async () => {
      const [from, to] = await pair();
      const [profile, order] = [newId(), newId()];
      await bed.api.get('account', from);
      const answer = await transact([
        add(from, -30),
        add(to, 30),
        { op: 'put', resource: 'profile', key: profile, value: { name: 'Ada' } },
        { op: 'put', resource: 'order', key: order, value: { item: 'tea' } },
        { op: 'put', resource: 'part', key: [`r,${order}`, 's'], value: { stock: 3 } },
      ]);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        outcome: 'applied',
        results: [
          { status: 200, resource: 'account', key: String(from), version: 2, cache: 'fresh' },
          { status: 200, version: 2, cache: 'fresh', policy: 'strict' },
          { status: 201, version: 1, cache: 'invalidated', policy: 'delete-after-write' },
          { status: 201, cache: 'none', fence: null },
          { status: 201, key: [`r,${order}`, 's'], cache: 'fresh' },
        ],
      });
      for (const [id, balance] of [
        [from, '70'],
        [to, '30'],
      ] as const) {
        const read = await bed.api.get('account', id);
        expect([read.body.source, cell(read, 'balance')]).toEqual(['cache', balance]);
      }
      expect((await bed.api.get('profile', profile)).body).toMatchObject({ version: 1 });
    });

    test('applies nothing if one operation is refused, and names that operation (T1) (T5)', async () => {
      const [from, to] = await pair();
      const note = newId();
      const other = { op: 'put', resource: 'note', key: note, value: { text: 'x' } };
      const missing = newId();
      for (const [refused, code] of [
        [add(from, -5_000), 'CONSTRAINT'],
        [add(from, 1, { ifMatch: 7 }), 'VERSION_MISMATCH'],
        [account(from, { owner: 'x' }, { ifNoneMatch: '*' }), 'VERSION_MISMATCH'],
        [add(missing, 1), 'NOT_FOUND'],
      ] as const) {
        const answer = await transact([other, add(to, 30), refused]);
        expectProblem(answer, code);
        expect(answer.body.operation).toBe(2);
      }
      for (const id of [from, to]) {
        expect((await bed.api.get('account', id)).body.version).toBe(1);
        expect((await bed.behind.entry(`account:${id}`))?.state).toBe('value');
      }
      expect((await bed.api.get('note', note)).status).toBe(404);
      expect((await bed.api.get('account', missing)).status).toBe(404);
      expect((await transact([add(from, -30), add(to, 30)])).status).toBe(200);
    });

    test('repeated with its idempotency key gets the same answer and is applied once', async () => {
      const [from, to] = await pair();
      const headers = { 'idempotency-key': `transfer-${from}` };
      const operations = [add(from, -30), add(to, 30)];
      const first = await transact(operations, headers);
      const again = await transact(operations, headers);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.body.results?.map(({ version }) => version)).toEqual(
        first.body.results?.map(({ version }) => version),
      );
      expect(cell(await bed.api.get('account', to), 'balance')).toBe('30');
      expectProblem(
        await transact([add(from, -31), add(to, 31)], headers),
        'IDEMPOTENCY_KEY_REUSED',
      );
      const single = bed.api.patch('account', to, { $inc: { balance: 1 } }, headers);
      expectProblem(await single, 'IDEMPOTENCY_KEY_REUSED');
    });

    test('loses and adds nothing when others lock the same keys in the opposite order (T4)', async () => {
      const [one, other] = await pair();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          transact(index % 2 === 0 ? [add(one, -1), add(other, 1)] : [add(other, 1), add(one, -1)]),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const reads = await Promise.all([one, other].map((id) => bed.api.get('account', id)));
      expect(reads.map((read) => cell(read, 'balance'))).toEqual(['80', '20']);
      expect(reads.map(({ body }) => body.version)).toEqual([21, 21]);
    });

    test('is visible as a whole: once a reader has seen one new value, the other key has its new value too (T3)', async () => {
      const [one, other] = await pair();
      let writing = true;
      const reader = async (): Promise<void> => {
        while (writing) {
          const [first, second] = [
            await bed.api.get('account', one),
            await bed.api.get('account', other),
          ];
          expect(second.body.version).toBeGreaterThanOrEqual(first.body.version ?? Infinity);
        }
      };
      const readers = [reader(), reader()];
      for (let times = 0; times < 20; times += 1) await transact([add(one, -1), add(other, 1)]);
      writing = false;
      await Promise.all(readers);
    });

    test('reports every fault in it, and applies nothing', async () => {
      const id = newId();
      const answer = await transact([
        account(id, { owner: 'Ada' }),
        account(id, { owner: 'Ada' }),
        { op: 'get', resource: 'account', key: 1 },
        account(newId(), { owner: 5 }),
      ]);
      expectProblem(answer, 'INVALID');
      expect(answer.body.errors?.map(({ path }) => path)).toEqual([
        'operations.1.key',
        'operations.2.op',
        'operations.3.value.owner',
      ]);
      expect((await bed.api.get('account', id)).status).toBe(404);
      expectProblem(await transact([]), 'INVALID');
      expectProblem(await transact([account(id, {}, { resource: 'nothing' })]), 'UNKNOWN_RESOURCE');
    });
  });
}
