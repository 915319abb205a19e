import { describe, expect, test } from 'vitest';
import { cell } from '../../support/api-client.ts';
import { newId } from '../../support/shop.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { expectProblem } from '../../support/problem.ts';

export function describeWrites(bed: TestBed): void {
  describe('a write', () => {
    test('PUT of a new row answers 201 with every field of the contract', async () => {
      const id = newId();
      const answer = await bed.api.put('account', id, { owner: 'Ada', balance: 10 });
      expect(answer.status).toBe(201);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(answer.headers.etag).toBe('"1"');
      expect(answer.body).toMatchObject({
        resource: 'account',
        version: 1,
        value: { owner: 'Ada', email: null },
        outcome: 'applied',
        cache: 'fresh',
        policy: 'strict',
      });
      expect(JSON.stringify(answer.body.key)).toMatch(new RegExp(`^"?${id}"?$`));
      expect(cell(answer, 'balance')).toBe('10');
      expect(answer.body.fence).toBeGreaterThan(0);
      expect(answer.body.waitMs).toBeGreaterThanOrEqual(0);
    });

    test('PUT of an existing row answers 200 and resets the columns that are not given', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 10, email: `${id}@example.org` });
      const answer = await bed.api.put('account', id, { owner: 'Grace' });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ version: 2, value: { owner: 'Grace', email: null } });
      expect(cell(answer, 'balance')).toBe('0');
    });

    test('PATCH changes the named columns only', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 10 });
      const answer = await bed.api.patch('account', id, { owner: 'Grace' });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ version: 2, value: { owner: 'Grace' } });
      expect(cell(answer, 'balance')).toBe('10');
    });

    test('$inc adds to a number, also beside set columns, also below zero', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 10 });
      const first = await bed.api.patch('account', id, { $inc: { balance: -15 }, owner: 'Grace' });
      expect(first.body.value).toMatchObject({ owner: 'Grace' });
      expect(cell(first, 'balance')).toBe('-5');
      const second = await bed.api.patch('account', id, { $inc: { balance: '7' } });
      expect(cell(second, 'balance')).toBe('2');
      expect(second.body.version).toBe(3);
    });

    test('concurrent increments of one key are all there, each with its own version and fence (W8)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => bed.api.patch('account', id, { $inc: { balance: 1 } })),
      );
      const versions = answers.map((answer) => answer.body.version ?? 0).sort((a, b) => a - b);
      expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 2));
      expect(new Set(answers.map((answer) => answer.body.fence)).size).toBe(20);
      const inOrder = answers.toSorted((a, b) => (a.body.version ?? 0) - (b.body.version ?? 0));
      const fences = inOrder.map((answer) => answer.body.fence ?? 0);
      expect(fences).toEqual(fences.toSorted((a, b) => a - b));
      const read = await bed.api.get('account', id);
      expect(cell(read, 'balance')).toBe('20');
    });

    test('DELETE removes the row; the version goes on from there (W8)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      const deleted = await bed.api.delete('account', id);
      expect(deleted.status).toBe(200);
      expect(deleted.body).toMatchObject({ version: 2, outcome: 'applied', value: null });
      expectProblem(await bed.api.get('account', id), 'NOT_FOUND');
      expectProblem(await bed.api.delete('account', id), 'NOT_FOUND');
      const again = await bed.api.put('account', id, { owner: 'Grace' });
      expect(again.status).toBe(201);
      expect(again.body.version).toBe(3);
    });

    test('PATCH of a missing row is NOT_FOUND and writes nothing', async () => {
      const id = newId();
      expectProblem(await bed.api.patch('account', id, { owner: 'Ada' }), 'NOT_FOUND');
      expectProblem(await bed.api.patch('profile', id, { name: 'Ada' }), 'NOT_FOUND');
      expect(await bed.behind.sql('SELECT id FROM accounts WHERE id = ?', [id])).toEqual([]);
      expect((await bed.api.put('account', id, { owner: 'Ada' })).body.version).toBe(1);
    });

    test('a row from before Lockstep has version 0, and version 1 after its first write', async () => {
      const id = newId();
      await bed.behind.sql("INSERT INTO accounts (id, owner) VALUES (?, 'old')", [id]);
      const read = await bed.api.get('account', id);
      expect(read.body).toMatchObject({ version: 0, value: { owner: 'old' } });
      // Another program made it after Lockstep had come to know the table.
      expect(read.headers.etag).toMatch(/^"0-[\w-]+"$/);
      const named = { 'if-match': String(read.headers.etag) };
      const written = await bed.api.patch('account', id, { owner: 'new' }, named);
      expect(written.body.version).toBe(1);
      expect(written.headers.etag).toBe('"1"');
    });

    test('a refused write does not use up a version (W8)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
      expectProblem(await bed.api.patch('account', id, { $inc: { balance: -5000 } }), 'CONSTRAINT');
      expect((await bed.api.patch('account', id, { $inc: { balance: 1 } })).body.version).toBe(2);
    });
  });

  describe('a policy', () => {
    test('delete-after-write invalidates and takes no lock', async () => {
      const id = newId();
      const created = await bed.api.put('profile', id, { name: 'Ada' });
      expect(created.status).toBe(201);
      expect(created.body).toMatchObject({
        cache: 'invalidated',
        policy: 'delete-after-write',
        fence: null,
      });
      await bed.api.get('profile', id);
      expect((await bed.api.get('profile', id)).body.source).toBe('cache');
      const patched = await bed.api.patch('profile', id, { $inc: { visits: 1 } });
      expect(patched.body.version).toBeGreaterThan(created.body.version ?? 0);
      expect(await bed.behind.entry(`profile:${id}`)).toMatchObject({
        state: 'tombstone',
        version: patched.body.version,
      });
      const read = await bed.api.get('profile', id);
      expect(read.body).toMatchObject({ version: patched.body.version, source: 'primary' });
      expect(cell(read, 'visits')).toBe('1');
    });

    test('none never touches the cache', async () => {
      const id = newId();
      const created = await bed.api.put('order', id, { item: 'tea', quantity: 2 });
      expect(created.body).toMatchObject({ cache: 'none', policy: 'none', outcome: 'applied' });
      for (let read = 0; read < 2; read++) {
        expect((await bed.api.get('order', id)).body).toMatchObject({
          source: 'primary',
          value: { item: 'tea' },
        });
      }
      expect(await bed.behind.cache.exists(`order:${id}`)).toBe(0);
      expect((await bed.api.delete('order', id)).status).toBe(200);
    });

    test('strict with onWrite delete leaves a tombstone', async () => {
      const id = newId();
      const created = await bed.api.put('sealed', id, { owner: 'Ada' });
      expect(created.body).toMatchObject({ cache: 'invalidated', policy: 'strict', version: 1 });
      expect(created.body.value).toEqual({ id: created.body.value?.id, owner: 'Ada' });
      expect(await bed.behind.entry(`sealed:${id}`)).toMatchObject({
        state: 'tombstone',
        version: 1,
      });
    });

    test('related cache keys are invalidated by the columns before and after the write', async () => {
      const id = newId();
      const [red, blue] = [`red${id}`, `blue${id}`];
      await bed.api.put('member', id, { team: red, name: 'Ada' });
      const value = '{"s":"value","v":1,"f":1,"t":1}\n["old list"]';
      for (const team of [red, blue]) await bed.behind.cache.set(`team:${team}:members`, value);
      await bed.api.patch('member', id, { team: blue });
      for (const team of [red, blue]) {
        const entry = await bed.behind.entry(`team:${team}:members`);
        expect(entry?.state ?? 'absent').toMatch(/absent|tombstone/);
      }
    });
  });
}
