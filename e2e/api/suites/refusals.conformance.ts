import { describe, expect, test } from 'vitest';
import { cell } from '../../support/api-client.ts';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

export function describeRefusals(bed: TestBed): void {
  describe('a request that is wrong', () => {
    test.each([
      ['is not JSON', '{"owner": '],
      ['is empty', ''],
      ['is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ])('because its body %s is MALFORMED', async (_what, rawBody) => {
      const id = newId();
      const path = `/v1/resources/account/${id}`;
      expectProblem(await bed.api.call('PUT', path, { rawBody, headers: JSON_TYPE }), 'MALFORMED');
      expectProblem(await bed.api.get('account', id), 'NOT_FOUND');
    });

    test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
      'because its body is %s is UNSUPPORTED_MEDIA_TYPE',
      async (type) => {
        const path = `/v1/resources/account/${newId()}`;
        const answer = await bed.api.call('PUT', path, {
          rawBody: '{"owner":"Ada"}',
          headers: { 'content-type': type },
        });
        expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE');
      },
    );

    test('is TOO_LARGE if its body is too large, and the connection stays open', async () => {
      const id = newId();
      const answer = await bed.api.put('account', id, { owner: 'x'.repeat(1_000_000) });
      expectProblem(answer, 'TOO_LARGE');
      expectProblem(await bed.api.get('account', id), 'NOT_FOUND');
    });

    test.each(['[]', '"text"', '5', 'null', '[{"owner":"Ada"}]'])(
      'because its body is %s and not an object is INVALID',
      async (rawBody) => {
        const path = `/v1/resources/account/${newId()}`;
        expectProblem(await bed.api.call('PUT', path, { rawBody, headers: JSON_TYPE }), 'INVALID');
      },
    );

    test.each([
      ['nothing to change', {}],
      ['an unknown column', { nickname: 'A' }],
      ['an unknown operator', { $set: { owner: 'A' } }],
      ['an increment of a text', { $inc: { owner: 1 } }],
      ['an increment of nothing', { $inc: {} }],
      ['an increment by a text', { $inc: { balance: 'much' } }],
      ['an increment of an unknown column', { $inc: { nothing: 1 } }],
      ['an increment that is a list', { $inc: [1] }],
      ['a column twice', { balance: 1, $inc: { balance: 1 } }],
      ['its key', { id: 5 }],
      ['a wrong type', { owner: 5 }],
    ])('PATCH with %s is INVALID and changes nothing', async (_what, body) => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 1 });
      const answer = await bed.api.patch('account', id, body);
      expectProblem(answer, 'INVALID');
      expect((await bed.api.get('account', id, '?consistency=primary')).body).toMatchObject({
        version: 1,
      });
    });

    test('PUT is INVALID with another key in its body, and accepted with its own', async () => {
      const id = newId();
      expectProblem(await bed.api.put('account', id, { id: id + 1, owner: 'Ada' }), 'INVALID');
      expect((await bed.api.put('account', id, { id, owner: 'Ada' })).status).toBe(201);
    });

    test('does not accept names of the prototype or of internals as columns', async () => {
      const path = `/v1/resources/account/${newId()}`;
      for (const rawBody of [
        '{"__proto__":{"owner":"x"},"owner":"Ada"}',
        '{"constructor":1,"owner":"Ada"}',
      ]) {
        expectProblem(await bed.api.call('PUT', path, { rawBody, headers: JSON_TYPE }), 'INVALID');
      }
      expect(({} as Record<string, unknown>).owner).toBeUndefined();
    });

    test('for an unknown resource is UNKNOWN_RESOURCE, for an unknown path NOT_FOUND', async () => {
      expectProblem(await bed.api.get('nothing', 1), 'UNKNOWN_RESOURCE');
      expectProblem(await bed.api.put('__proto__', 1, { a: 1 }), 'UNKNOWN_RESOURCE');
      expectProblem(await bed.api.call('GET', '/v1/nothing'), 'NOT_FOUND');
    });

    test('is METHOD_NOT_ALLOWED by an unknown method, and lists the methods', async () => {
      const answer = await bed.api.call('POST', `/v1/resources/account/${newId()}`, { body: {} });
      expectProblem(answer, 'METHOD_NOT_ALLOWED');
      expect(answer.headers.allow).toMatch(/PUT/);
    });

    test.each(['a key with spaces '.repeat(30), ''])(
      'with an idempotency key of %j is INVALID',
      async (key) => {
        const answer = await bed.api.put(
          'account',
          newId(),
          { owner: 'Ada' },
          { 'idempotency-key': key },
        );
        expectProblem(answer, 'INVALID');
      },
    );
  });

  describe('a request without the right', () => {
    test('without a token, or with a wrong one, is UNAUTHENTICATED', async () => {
      const id = newId();
      expectProblem(await bed.anonymous.get('account', id), 'UNAUTHENTICATED');
      const headers = { authorization: 'Bearer wrong' };
      const answer = await bed.anonymous.put('account', id, { owner: 'Ada' }, headers);
      expectProblem(answer, 'UNAUTHENTICATED');
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
      expectProblem(await bed.anonymous.post('/v1/batch', { operations: [] }), 'UNAUTHENTICATED');
      expect(await bed.behind.sql('SELECT id FROM accounts WHERE id = ?', [id])).toEqual([]);
    });

    test('for operators with the service token is FORBIDDEN', async () => {
      expectProblem(await bed.api.call('GET', '/v1/ops/session'), 'FORBIDDEN');
      expect((await bed.admin.call('GET', '/v1/ops/session')).status).toBe(200);
    });
  });

  describe('a write that the database refuses', () => {
    test('because of NOT NULL is CONSTRAINT or INVALID, and nothing is written', async () => {
      const id = newId();
      for (const answer of [
        await bed.api.put('account', id, { balance: 1 }),
        await bed.api.put('profile', id, {}),
      ]) {
        expect(['CONSTRAINT', 'INVALID']).toContain(answer.body.code);
        expect(answer.body.outcome).toBe('not_applied');
      }
      expect(await bed.behind.sql('SELECT id FROM accounts WHERE id = ?', [id])).toEqual([]);
      expect(await bed.behind.sql('SELECT id FROM profiles WHERE id = ?', [id])).toEqual([]);
    });

    test('because of a unique constraint is CONSTRAINT with its name, never its values', async () => {
      const [first, second] = [newId(), newId()];
      const email = `secret${first}@example.org`;
      await bed.api.put('account', first, { owner: 'Ada', email });
      const answer = await bed.api.put('account', second, { owner: 'Grace', email });
      expectProblem(answer, 'CONSTRAINT');
      expect(answer.body.constraint).toContain('accounts_email_unique');
      expect(answer.text).not.toContain(email);
      expectProblem(await bed.api.get('account', second), 'NOT_FOUND');
      expect((await bed.api.put('account', second, { owner: 'Grace' })).body.version).toBe(1);
    });

    test('because of a check is CONSTRAINT; the cache stays correct', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 5 });
      const answer = await bed.api.patch('account', id, { $inc: { balance: -9_999 } });
      expectProblem(answer, 'CONSTRAINT');
      expect(answer.body.constraint).toContain('accounts_balance_floor');
      const read = await bed.api.get('account', id);
      expect(read.body.version).toBe(1);
      expect(cell(read, 'balance')).toBe('5');
      expect((await bed.behind.entry(`account:${id}`))?.state).not.toBe('intent');
    });
  });
}
