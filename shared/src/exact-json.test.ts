import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText, parseJson } from './exact-json.ts';
import { ExactNumber } from './json.ts';

/** A number as JSON may write it, with digits, zeros and exponents that JavaScript's own numbers lose. */
const numbers = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constant('0'),
      fc.nat().map(String),
      fc.bigInt({ min: 1n, max: 10n ** 40n }).map(String),
    ),
    fc.oneof(
      fc.constant(''),
      fc.stringMatching(/^\.[0-9]{1,3}$/),
      fc.stringMatching(/^\.0{0,8}[0-9]{1,18}$/),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: fc.stringMatching(/^[eE][+-]?[0-9]{1,3}$/) },
    ),
  )
  .map((parts) => parts.join(''));

const blanks = fc.stringMatching(/^[ \t\n\r]{0,2}$/);
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('a "1.10" b', '[1.10, -0]', '\\', '\u2028', '{"a":1e400}', '__proto__'),
);

/** JSON texts with their blanks, and the same text without. */
const { json } = fc.letrec<{ json: { text: string; bare: string } }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    numbers.map((text) => ({ text, bare: text })),
    texts.map((value) => JSON.stringify(value)).map((text) => ({ text, bare: text })),
    fc.constantFrom('null', 'true', 'false').map((text) => ({ text, bare: text })),
    fc.tuple(fc.array(tie('json'), { maxLength: 4 }), blanks).map(([items, blank]) => ({
      text: `[${blank}${items.map(({ text }) => text).join(`${blank},${blank}`)}${blank}]`,
      bare: `[${items.map(({ bare }) => bare).join()}]`,
    })),
    fc
      .tuple(
        fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z_]{1,9}$/), tie('json')), {
          maxLength: 4,
          selector: ([name]) => name,
        }),
        blanks,
      )
      .map(([members, blank]) => ({
        text: `{${members.map(([name, { text }]) => `${blank}"${name}"${blank}:${blank}${text}`).join(',')}${blank}}`,
        bare: `{${members.map(([name, { bare }]) => `"${name}":${bare}`).join()}}`,
      })),
  ),
}));

describe('JSON with every digit of its numbers', () => {
  it('J1: is written as it was read, whatever its numbers', () => {
    fc.assert(
      fc.property(json, ({ text, bare }) => {
        expect(jsonText(parseJson(text))).toBe(bare);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '750727362669608961',
    '1e400',
    '1.10',
    '-0',
    '-0.0',
    '1E5',
    '0.0000001',
    '123456789012345678901234567890',
    '0.1000000000000000055511151231257827',
  ])('keeps %s alone, in an array and in an object', (number) => {
    for (const text of [number, `[${number}]`, `{"a":${number}}`, `{"a":[1,{"b":${number}}]}`]) {
      expect(jsonText(parseJson(text))).toBe(text);
    }
  });

  it('leaves a number as JavaScript has it where that is what was written', () => {
    expect(parseJson('[1, -1, 0.5, 1.25, 9007199254740992, 10]')).toEqual([
      1, -1, 0.5, 1.25, 9007199254740992, 10,
    ]);
    expect(parseJson('[1.0]')).toEqual([new ExactNumber('1.0')]);
  });

  it('keeps a member __proto__ beside such a number, and the last of two members of one name', () => {
    const text = '{"__proto__":{"n":1.10},"a":1}';
    const value = parseJson(text);
    expect(jsonText(value)).toBe(text);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(jsonText(parseJson('{"a":1.10,"b":0,"a":2.20}'))).toBe('{"a":2.20,"b":0}');
  });

  it('reads a text that is nested very deep', () => {
    const depth = 100_000;
    const text = '['.repeat(depth) + '1.10' + ']'.repeat(depth);
    expect(Array.isArray(parseJson(text))).toBe(true);
  });

  it.each(['1.10', '1'])('writes a value that is nested very deep, around %s', (number) => {
    const depth = 100_000;
    for (const text of [
      '['.repeat(depth) + number + ']'.repeat(depth),
      '{"a":'.repeat(depth) + number + '}'.repeat(depth),
    ]) {
      expect(jsonText(parseJson(text)) === text).toBe(true);
    }
  });

  it('is refused by the built-in writing, which would lose digits', () => {
    expect(() => JSON.stringify({ a: parseJson('1.10') })).toThrow(TypeError);
  });

  it('refuses what is no JSON', () => {
    for (const text of ['', '[1.10', '{a:1}', '01', '1.', 'NaN', '[-]'])
      expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
