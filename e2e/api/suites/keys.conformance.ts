import { describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

/** What a key's text may hold and a path, a cache key or a log could stumble over. */
const AWKWARD = [
  'a/b/../c',
  'comma, and, more',
  'percent %2C %00 %',
  'line\nbreak\r\n\ttab',
  'question?mark#hash&amp=1+2',
  'quote " and \' and ` and \\',
  '{id} $1 ? :name',
  'héllo wörld 你好 🚀',
  '..',
  ' leading and inner  spaces',
  '__proto__',
  'lockstep:lock:x',
];

export function describeKeys(bed: TestBed): void {
  describe('a key', () => {
    test.each(AWKWARD)('%j goes through every call and stays itself', async (text) => {
      const path = `${newId()} ${text}`;
      const created = await bed.api.put('document', path, { body: text });
      expect(created.status).toBe(201);
      expect(created.body.value).toEqual({ path, body: text });
      expect((await bed.api.get('document', path)).body.value).toEqual({ path, body: text });
      expect((await bed.api.get('document', path)).body.source).toBe('cache');
      expect((await bed.api.patch('document', path, { body: 'new' })).status).toBe(200);
      const rows = await bed.behind.sql('SELECT body FROM documents WHERE path = ?', [path]);
      expect(rows).toEqual([{ body: 'new' }]);
      expect((await bed.api.delete('document', path)).status).toBe(200);
    });

    test('may be the empty text', async () => {
      expect((await bed.api.put('document', '', { body: 'of no name' })).status).toBe(201);
      for (const source of ['primary', 'cache']) {
        const { body } = await bed.api.get('document', '');
        expect([body.value, body.source]).toEqual([{ path: '', body: 'of no name' }, source]);
      }
      const body = { operations: [{ op: 'get', resource: 'document', key: '' }] };
      const batch = await bed.api.call('POST', '/v1/batch', { body });
      expect(batch.text).toContain('of no name');
      expect((await bed.api.delete('document', '')).status).toBe(200);
      expectProblem(await bed.api.get('document', ''), 'NOT_FOUND');
      expect(await bed.behind.sql("SELECT body FROM documents WHERE path = ''")).toEqual([]);
    });

    test('may have a part that is the empty text', async () => {
      const region = `${newId()}`;
      expect((await bed.api.put('part', [region, ''], { stock: 1 })).status).toBe(201);
      const answer = await bed.api.call('GET', `/v1/resources/part/${region},`);
      expect(answer.body.value).toMatchObject({ region, sku: '', stock: 1 });
    });

    test('may have two kilobytes of UTF-8; a longer one is INVALID', async () => {
      const prefix = `${newId()}`.padStart(16, '0');
      const path = prefix + '🔑'.repeat((2048 - 16) / 4);
      expect(Buffer.byteLength(path)).toBe(2048);
      expect((await bed.api.put('document', path, { body: 'long' })).status).toBe(201);
      expect((await bed.api.get('document', path)).body.value).toEqual({ path, body: 'long' });
      expectProblem(await bed.api.put('document', `${path}x`, { body: 'longer' }), 'INVALID');
    });

    test('keys that differ in case, accents or trailing spaces are different keys', async () => {
      const stem = String(newId());
      const names = [`${stem}a`, `${stem}A`, `${stem}á`, `${stem}a\u0301`];
      for (const name of names) {
        expect((await bed.api.put('document', name, { body: name })).status).toBe(201);
      }
      for (const name of names) {
        expect((await bed.api.get('document', name)).body.value).toEqual({
          path: name,
          body: name,
        });
      }
    });

    test('every spelling of a number is the same key', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      expect((await bed.api.patch('account', `00${id}`, { owner: 'Grace' })).body.version).toBe(2);
      expect((await bed.api.get('account', `000${id}`)).body.value).toMatchObject({
        owner: 'Grace',
      });
    });

    test('a composite key is split at bare commas', async () => {
      const region = `north,west/${newId()}`;
      const created = await bed.api.put('part', [region, 'sku:1,2'], { stock: 5 });
      expect(created.status).toBe(201);
      expect(created.body.value).toMatchObject({ region, sku: 'sku:1,2', stock: 5 });
      const read = await bed.api.get('part', [region, 'sku:1,2']);
      expect(read.body.value).toEqual(created.body.value);
      expectProblem(await bed.api.get('part', ['north', `west/${newId()}`]), 'NOT_FOUND');
    });

    test('composite keys whose joined text is the same stay different keys', async () => {
      const stem = String(newId());
      const keys = [
        [`${stem}a:b`, 'c'],
        [`${stem}a`, 'b:c'],
        [`${stem}a%3Ab`, 'c'],
      ] as const;
      for (const [index, key] of keys.entries()) {
        expect((await bed.api.put('part', key, { stock: index })).status).toBe(201);
      }
      for (const [index, key] of keys.entries()) {
        for (let read = 0; read < 2; read++) {
          expect((await bed.api.get('part', key)).body.value).toMatchObject({ stock: index });
        }
      }
    });

    test.each([
      ['too few parts', '/v1/resources/part/one'],
      ['too many parts', '/v1/resources/part/one,two,three'],
      ['text for a number', '/v1/resources/account/abc'],
      ['a number out of range', '/v1/resources/account/99999999999999999999'],
      ['a NUL byte', '/v1/resources/document/a%00b'],
      ['broken percent-encoding', '/v1/resources/document/a%E0%A4%A'],
    ])('with %s is INVALID', async (_what, path) => {
      expectProblem(await bed.api.call('GET', path), 'INVALID');
      expectProblem(await bed.api.call('PUT', path, { body: { stock: 1 } }), 'INVALID');
    });
  });
}
