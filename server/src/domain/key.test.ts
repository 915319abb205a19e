import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from './cache-key.ts';
import { LockstepError } from './errors.ts';
import {
  keyFromCacheKey,
  keyFromJson,
  keyFromPath,
  keyFromRow,
  keyFromText,
  makeKey,
} from './key.ts';
import { column, resource } from '@lockstep/testkit/doubles/resource';

const pair = resource({
  keyColumns: [column('shop', 'text'), column('sku', 'text')],
  cacheKey: new CacheKeyTemplate('stock:{shop}:{sku}'),
});
const part = fc
  .string({ unit: 'binary', maxLength: 40 })
  .filter((text) => !text.includes('\0') && text.isWellFormed());

describe('keys', () => {
  it('give every spelling of a whole number one text', () => {
    for (const spelling of ['7', '007', '-0', '-7']) {
      expect(makeKey(resource(), [spelling]).text).toBe(
        String(Number(spelling) === 0 ? 0 : Number(spelling)),
      );
    }
  });

  it('give every spelling of a UUID one text', () => {
    const byId = resource({ keyColumns: [column('id', 'uuid')] });
    const id = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
    expect(makeKey(byId, [id]).text).toBe(id.toLowerCase());
  });

  it.each([['x'], [''], ['1.5'], ['2147483648'], ['1,2'], ['1'.repeat(31)]])(
    'refuse %j as an integer key',
    (text) => {
      expect(() => makeKey(resource(), text.split(','))).toThrowError(LockstepError);
    },
  );

  it('take 2,048 bytes of UTF-8 and not one more', () => {
    const byName = resource({ keyColumns: [column('id', 'text')] });
    expect(Buffer.byteLength(makeKey(byName, ['é'.repeat(1024)]).text)).toBe(2048);
    expect(() => makeKey(byName, [`${'é'.repeat(1024)}x`])).toThrowError(/2048 bytes/);
  });

  it('refuse NUL, lone surrogates and broken percent-encoding', () => {
    const byName = resource({ keyColumns: [column('id', 'text')] });
    expect(() => makeKey(byName, ['a\0b'])).toThrowError(LockstepError);
    expect(() => makeKey(byName, ['\ud800'])).toThrowError(LockstepError);
    expect(() => keyFromPath(byName, '%ff')).toThrowError(LockstepError);
  });

  it('may be the empty text, where one column of text or bytes is the key', () => {
    for (const type of ['text', 'bytes'] as const) {
      const key = keyFromPath(resource({ keyColumns: [column('id', type)] }), '');
      expect([key.parts, key.text]).toEqual([[''], '']);
    }
    expect(keyFromPath(pair, ',').parts).toEqual(['', '']);
    const refused = [resource(), resource({ keyColumns: [column('id', 'uuid')] }), pair];
    for (const each of refused) expect(() => keyFromPath(each, '')).toThrowError(/has no key/);
  });

  it('of rows that no call can name are none: an audit or a change log passes such a row', () => {
    const rows = [
      { shop: null, sku: 'a' },
      { shop: 'a', sku: 'x'.repeat(3000) },
    ];
    for (const row of rows) expect(keyFromRow(pair, row)).toBeNull();
    expect(keyFromRow(pair, { shop: 'a', sku: 'b' })?.text).toBe('a,b');
  });

  it('read from a path split at bare commas only', () => {
    expect(keyFromPath(pair, 'a%2Cb,c%2Fd').parts).toEqual(['a,b', 'c/d']);
    expect(keyFromJson(pair, ['a,b', 'c/d']).text).toBe(keyFromPath(pair, 'a%2Cb,c%2Fd').text);
  });

  it('with different parts never share a text, a lock or a cache key, and come back from each', () => {
    fc.assert(
      fc.property(part, part, part, part, (a, b, c, d) => {
        const left = makeKey(pair, [a, b]);
        const right = makeKey(pair, [c, d]);
        const same = a === c && b === d;
        expect(left.text === right.text).toBe(same);
        expect(left.cacheKey === right.cacheKey).toBe(same);
        expect(keyFromText(pair, left.text).parts).toEqual([a, b]);
        expect(keyFromCacheKey(pair, left.cacheKey)?.parts).toEqual([a, b]);
      }),
    );
  });
});

describe('cache key templates', () => {
  it('keep a value as it is that has neither : nor %', () => {
    const template = new CacheKeyTemplate('user-of.shop:{mail}:v1');
    expect(template.render({ mail: 'a-b.c@d/ü' })).toBe('user-of.shop:a-b.c@d/ü:v1');
  });

  it('escape : and %, and what stands between two placeholders, whatever the character', () => {
    expect(new CacheKeyTemplate('user:{mail}').render({ mail: 'a:b%c' })).toBe('user:a%3Ab%25c');
    const template = new CacheKeyTemplate('{a}-{b}.→{c}');
    const row = { a: 'x-y', b: '.', c: '→%2D' };
    expect(template.render(row)).toBe('x%2Dy-%2E.→%E2%86%92%252D');
    expect(template.match(template.render(row) ?? '')).toEqual(row);
  });

  it.each([['account'], ['a:{id'], ['a:{}'], ['{a}{b}']])('refuse %j', (text) => {
    expect(() => new CacheKeyTemplate(text)).toThrowError();
  });

  it('name no key for a row without the column', () => {
    expect(new CacheKeyTemplate('owner:{owner}').render({ owner: null })).toBeNull();
  });
});
