import { describe, expect, test } from 'vitest';
import type { Answer } from '../../support/api-client.ts';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

export function describeInserts(bed: TestBed): void {
  const insert = (
    resource: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => bed.api.post(`/v1/resources/${resource}`, body, headers);
  const seat = (): string => `seat ${newId()}`;

  describe('an insert', () => {
    test.each([
      ['ticket', () => ({ seat: seat() }), 'fresh'],
      ['coupon', () => ({ percent: 7 }), 'invalidated'],
      ['line', () => ({ shop: 'a,b', item: 'tea' }), 'none'],
    ] as const)(
      'of a %s answers 201 with the key that the database made',
      async (resource, row, cache) => {
        const answer = await insert(resource, row());
        expect(answer.status, answer.text).toBe(201);
        expect(answer.body).toMatchObject({ resource, version: 1, outcome: 'applied', cache });
        expect(answer.headers.etag).toBe('"1"');
        const read = await bed.api.call('GET', answer.headers.location ?? '');
        expect(read.status).toBe(200);
        expect([read.body.key, read.body.value]).toEqual([answer.body.key, answer.body.value]);
        const other = await insert(resource, row());
        expect(other.body.key).not.toEqual(answer.body.key);
      },
    );

    test('with the whole key in its body only creates', async () => {
      const id = newId();
      const created = await insert('account', { id, owner: 'Ada' });
      expect([created.status, created.headers.location]).toEqual([
        201,
        `/v1/resources/account/${id}`,
      ]);
      expectProblem(await insert('account', { id, owner: 'Grace' }), 'VERSION_MISMATCH');
    });

    test('without a key that the database makes is INVALID, and names the column', async () => {
      const answer = await insert('account', { owner: 'Ada' });
      expectProblem(answer, 'INVALID');
      expect(answer.body.errors).toMatchObject([{ path: 'id' }]);
    });

    test('that breaks a constraint is refused, also when it is repeated', async () => {
      const taken = seat();
      await insert('ticket', { seat: taken });
      const headers = { 'Idempotency-Key': `insert-${newId()}` };
      for (let times = 0; times < 2; times += 1) {
        const refused = await insert('ticket', { seat: taken }, headers);
        expectProblem(refused, 'CONSTRAINT');
        expect(refused.body.constraint).toMatch(/one_ticket_each/);
      }
    });

    test('that is repeated, at once or later, answers the first row and inserts no other (W6)', async () => {
      const [row, headers] = [{ seat: seat() }, { 'Idempotency-Key': `insert-${newId()}` }];
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => insert('ticket', row, headers)),
      );
      answers.push(await insert('ticket', row, headers));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
      expect(new Set(answers.map(({ headers: { location } }) => location)).size).toBe(1);
      const replayed = answers.filter((answer) => answer.headers['idempotent-replayed'] === 'true');
      expect(replayed).toHaveLength(answers.length - 1);
      expectProblem(await insert('ticket', { seat: seat() }, headers), 'IDEMPOTENCY_KEY_REUSED');
    });

    test('beside many others and their readers gives each row a key of its own, and no reader an older state (R6)', async () => {
      let newest = Number((await insert('ticket', { seat: seat() })).body.key);
      let isOver = false;
      const acknowledged = new Set<number>();
      const missed: number[] = [];
      const readers = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          // Half of these rows are not there yet: their absence is cached.
          const id = newest - 4 + Math.floor(Math.random() * 12);
          const wasAcknowledged = acknowledged.has(id);
          const read = await bed.api.get('ticket', id);
          if (wasAcknowledged && read.status !== 200) missed.push(id);
        }
      });
      const writers = Array.from({ length: 6 }, async () => {
        for (let count = 0; count < 12; count += 1) {
          const answer = await insert('ticket', { seat: seat() });
          expect(answer.status, answer.text).toBe(201);
          const id = Number(answer.body.key);
          expect(acknowledged.has(id)).toBe(false);
          acknowledged.add(id);
          newest = Math.max(newest, id);
        }
      });
      await Promise.all(writers);
      isOver = true;
      await Promise.all(readers);
      expect(missed).toEqual([]);
      expect(acknowledged.size).toBe(72);
    });

    test('goes in a batch, and in a transaction with others', async () => {
      const id = newId();
      const operations = [
        { op: 'insert', resource: 'ticket', value: { seat: seat() } },
        { op: 'insert', resource: 'coupon', value: {} },
        { op: 'insert', resource: 'account', value: { id, owner: 'Ada' } },
      ];
      const batch = await bed.api.post('/v1/batch', { operations });
      expect(batch.body.results?.map(({ status }) => status)).toEqual([201, 201, 201]);
      const headers = { 'Idempotency-Key': `inserts-${newId()}` };
      const body = {
        operations: [
          { op: 'insert', resource: 'ticket', value: { seat: seat() } },
          { op: 'patch', resource: 'account', key: id, value: { $inc: { balance: 3 } } },
          { op: 'insert', resource: 'ticket', value: { seat: seat() } },
        ],
      };
      const first = await bed.api.post('/v1/transactions', body, headers);
      expect(first.status, first.text).toBe(200);
      const again = await bed.api.post('/v1/transactions', body, headers);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.body.results?.map(({ key }) => key)).toEqual(
        first.body.results?.map(({ key }) => key),
      );
      for (const place of [0, 2]) {
        const read = await bed.api.get('ticket', String(first.body.results?.[place]?.key));
        expect(read.body.value).toEqual(first.body.results?.[place]?.value);
      }
    });

    test('that is refused in a transaction takes all of it back', async () => {
      const [id, taken] = [newId(), seat()];
      await insert('ticket', { seat: taken });
      const answer = await bed.api.post('/v1/transactions', {
        operations: [
          { op: 'put', resource: 'account', key: id, value: { owner: 'Ada' } },
          { op: 'insert', resource: 'ticket', value: { seat: taken } },
        ],
      });
      expectProblem(answer, 'CONSTRAINT');
      expect(answer.body.operation).toBe(1);
      expectProblem(await bed.api.get('account', id), 'NOT_FOUND');
    });
  });
}
