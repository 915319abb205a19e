import { describe, expect, test } from 'vitest';
import { cell } from '../../support/api-client.ts';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

export function describePreconditions(bed: TestBed): void {
  describe.each(['account', 'profile'])('a precondition on %s', (resource) => {
    const row = resource === 'account' ? { owner: 'Ada' } : { name: 'Ada' };
    const changed = resource === 'account' ? { owner: 'Grace' } : { name: 'Grace' };

    test('If-Match with the current version lets the write through', async () => {
      const id = newId();
      const { body } = await bed.api.put(resource, id, row);
      const etag = `"${body.version}"`;
      const patched = await bed.api.patch(resource, id, changed, { 'if-match': etag });
      expect(patched.status).toBe(200);
      expect(
        (await bed.api.delete(resource, id, { 'if-match': String(patched.headers.etag) })).status,
      ).toBe(200);
    });

    test('If-Match with another version is VERSION_MISMATCH and names the current one (W11)', async () => {
      const id = newId();
      const { body } = await bed.api.put(resource, id, row);
      const stale = { 'if-match': `"${(body.version ?? 0) + 7}"` };
      for (const answer of [
        await bed.api.patch(resource, id, changed, stale),
        await bed.api.put(resource, id, changed, stale),
        await bed.api.delete(resource, id, stale),
      ]) {
        expectProblem(answer, 'VERSION_MISMATCH');
        expect(answer.body.currentVersion).toBe(body.version);
      }
      expect((await bed.api.get(resource, id)).body).toMatchObject({
        version: body.version,
        value: row,
      });
    });

    test('If-None-Match: * on PUT only creates', async () => {
      const id = newId();
      const onlyCreate = { 'if-none-match': '*' };
      expect((await bed.api.put(resource, id, row, onlyCreate)).status).toBe(201);
      expectProblem(await bed.api.put(resource, id, changed, onlyCreate), 'VERSION_MISMATCH');
      expect((await bed.api.get(resource, id)).body.value).toMatchObject(row);
    });

    test('of two writers with the same If-Match one wins (W11)', async () => {
      const id = newId();
      const { headers } = await bed.api.put(resource, id, row);
      const answers = await Promise.all(
        Array.from({ length: 6 }, () =>
          bed.api.patch(resource, id, changed, { 'if-match': String(headers.etag) }),
        ),
      );
      expect(answers.map((answer) => answer.status).toSorted()).toEqual([
        200, 412, 412, 412, 412, 412,
      ]);
    });

    test('an unreadable If-Match is INVALID', async () => {
      const id = newId();
      await bed.api.put(resource, id, row);
      expectProblem(await bed.api.patch(resource, id, changed, { 'if-match': '"one"' }), 'INVALID');
    });
  });

  describe.each([
    ['account', 'balance', { owner: 'Ada', balance: 0 }],
    ['profile', 'visits', { name: 'Ada', visits: 0 }],
    ['order', 'quantity', { item: 'tea', quantity: 0 }],
  ])('an idempotency key on %s', (resource, counter, row) => {
    const key = (): Record<string, string> => ({
      'idempotency-key': `test-${newId()}-${Math.random()}`,
    });

    test('answers a repeat with the first outcome and applies nothing (W6)', async () => {
      const id = newId();
      await bed.api.put(resource, id, row);
      const headers = key();
      const first = await bed.api.patch(resource, id, { $inc: { [counter]: 5 } }, headers);
      await bed.api.patch(resource, id, { $inc: { [counter]: 1 } });
      const repeat = await bed.api.patch(resource, id, { $inc: { [counter]: 5 } }, headers);
      expect(repeat.status).toBe(first.status);
      expect(repeat.body).toMatchObject({
        version: first.body.version,
        value: first.body.value,
        outcome: 'applied',
      });
      expect(repeat.headers.etag).toBe(first.headers.etag);
      expect(cell(await bed.api.get(resource, id), counter)).toBe('6');
    });

    test('is applied once by concurrent repeats (W6)', async () => {
      const id = newId();
      await bed.api.put(resource, id, row);
      const headers = key();
      const answers = await Promise.all(
        Array.from({ length: 8 }, () =>
          bed.api.patch(resource, id, { $inc: { [counter]: 1 } }, headers),
        ),
      );
      expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 8 }, () => 200));
      expect(new Set(answers.map((answer) => answer.body.version)).size).toBe(1);
      expect(cell(await bed.api.get(resource, id), counter)).toBe('1');
    });

    test('with another body or another key is IDEMPOTENCY_KEY_REUSED', async () => {
      const [id, other] = [newId(), newId()];
      const headers = key();
      expect((await bed.api.put(resource, id, row, headers)).status).toBe(201);
      expectProblem(
        await bed.api.put(resource, id, { ...row, [counter]: 9 }, headers),
        'IDEMPOTENCY_KEY_REUSED',
      );
      expectProblem(await bed.api.put(resource, other, row, headers), 'IDEMPOTENCY_KEY_REUSED');
      expectProblem(await bed.api.delete(resource, id, headers), 'IDEMPOTENCY_KEY_REUSED');
      expectProblem(await bed.api.get(resource, other), 'NOT_FOUND');
      const repeat = await bed.api.put(resource, id, row, headers);
      expect(repeat.status).toBe(201);
    });

    test('repeats a refusal too (W6)', async () => {
      const id = newId();
      const headers = key();
      expectProblem(await bed.api.patch(resource, id, { [counter]: 1 }, headers), 'NOT_FOUND');
      await bed.api.put(resource, id, row);
      expectProblem(await bed.api.patch(resource, id, { [counter]: 1 }, headers), 'NOT_FOUND');
      expect(cell(await bed.api.get(resource, id), counter)).toBe('0');
    });
  });

  describe('Lockstep-Timeout', () => {
    test('bounds the wait for a lock that someone else holds (W12)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      const name = `lockstep:lock:account:${id}`;
      for (const node of bed.behind.lockNodes) await node.set(name, 'someone else', 'PX', 60_000);
      const startedAt = performance.now();
      const answer = await bed.api.patch(
        'account',
        id,
        { owner: 'Grace' },
        { 'lockstep-timeout': '300' },
      );
      expectProblem(answer, 'LOCK_TIMEOUT');
      // Without it, the wait is 5 s.
      expect(performance.now() - startedAt).toBeLessThan(4_500);
      for (const node of bed.behind.lockNodes) await node.del(name);
      expect((await bed.api.get('account', id)).body).toMatchObject({
        version: 1,
        value: { owner: 'Ada' },
      });
      expect((await bed.api.patch('account', id, { owner: 'Grace' })).body.version).toBe(2);
    });

    test('that is not a number of milliseconds is INVALID', async () => {
      const headers = { 'lockstep-timeout': 'soon' };
      expectProblem(await bed.api.put('account', newId(), { owner: 'Ada' }, headers), 'INVALID');
    });
  });
}
