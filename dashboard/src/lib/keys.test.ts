import { describe, expect, it } from 'vitest';
import { keyHref, keyPath, keyText, parseKeyQuery } from './keys.ts';

describe('keyPath', () => {
  it.each([
    ['42', '42'],
    ['eu,7', 'eu,7'],
    ['a/b c', 'a%2Fb%20c'],
    ['a%2Cb', 'a%2Cb'],
    ['100%25', '100%25'],
    ['100%', '100%25'],
    ['%E0', '%25E0'],
    ['ключ', '%D0%BA%D0%BB%D1%8E%D1%87'],
  ])('takes %s as %s', (key, path) => expect(keyPath(key)).toBe(path));
});

it('shows what would not be seen as its code point', () => {
  expect(keyText('a\nb')).toBe('a\\u{a}b');
  expect(keyText('\u202Eabc')).toBe('\\u{202e}abc');
  expect(keyText('plain,key')).toBe('plain,key');
});

it('carries any key in the address', () => {
  const query = new URLSearchParams(
    keyHref({ resource: 'a', key: 'x&y=%,#' }).slice('#/key?'.length),
  );
  expect(query.get('key')).toBe('x&y=%,#');
});

describe('parseKeyQuery', () => {
  const resources = ['account', 'account_log', 'airport'];
  it.each([
    ['account/42', 'account', '42'],
    ['account:42', 'account', '42'],
    ['  airport SEA ', 'airport', 'SEA'],
    ['account_log/7', 'account_log', '7'],
    ['account/a/b', 'account', 'a/b'],
    ['42', 'account', '42'],
    ['other/42', 'account', 'other/42'],
  ])('reads %s', (text, resource, key) =>
    expect(parseKeyQuery(text, resources, undefined)).toEqual({ resource, key }),
  );
  it('finds nothing in nothing', () => {
    expect(parseKeyQuery('  ', resources, undefined)).toBeNull();
    expect(parseKeyQuery('42', [], undefined)).toBeNull();
  });
});
