import { ExactNumber } from '@lockstep/shared/for-clients';
import { describe, expect, test } from 'vitest';
import { type ColumnKind, columnMapOf, rowOfKinds } from './column-kinds.ts';
import { LockstepError } from './errors.ts';
import { keyPartOf, keyPartsOf, type KeyReader, readThrough } from './sql.ts';
import type { JsonValue } from './types.ts';

const as = (kind: ColumnKind, value: JsonValue): unknown =>
  rowOfKinds(columnMapOf({ a: kind }), { a: value })?.['a'];

describe('values of a cached row', () => {
  test.each<[ColumnKind, JsonValue, unknown]>([
    ['string', 'x', 'x'],
    ['string', 42, '42'],
    ['number', 1.5, 1.5],
    ['number', true, 1],
    ['number', '-Infinity', -Infinity],
    ['number', '-1.50', -1.5],
    ['bigint', 42, 42n],
    ['bigint', '9223372036854775807', 9223372036854775807n],
    ['boolean', false, false],
    ['date', '2026-01-02T03:04:05.678Z', new Date('2026-01-02T03:04:05.678Z')],
    ['date', '2026-01-02', new Date('2026-01-02T00:00:00Z')],
    ['day', '2026-01-02', new Date(2026, 0, 2)],
    ['bytes', 'YWI=', Buffer.from('ab')],
    ['json', { a: [1, null] }, { a: [1, null] }],
    ...(['string', 'number', 'bigint', 'date', 'bytes', 'json'] as const).map(
      (kind): [ColumnKind, null, null] => [kind, null, null],
    ),
  ])('%s of %s', (kind, value, expected) => {
    expect(as(kind, value)).toStrictEqual(expected);
  });

  test.each<[ColumnKind, JsonValue]>([
    ['string', 1.5],
    ['string', true],
    ['number', '9223372036854775807'],
    ['number', 'x'],
    ['number', new ExactNumber('1e400')],
    ['bigint', 1.5],
    ['bigint', '1.50'],
    ['boolean', 2],
    ['date', 'infinity'],
    ['date', '2026-10-25 02:30:00'],
    ['date', '12345-06-07'],
    ['day', '0000-00-00T'],
    ['json', { a: [new ExactNumber('1.10')] }],
    ['json', { $json: null }],
    ['json', '"a"'],
  ])('are not made up: %s of %s', (kind, value) => {
    expect(as(kind, value)).toBe(undefined);
  });

  test('a column that the cached row does not have', () => {
    expect(rowOfKinds(columnMapOf({ a: 'string', b: 'string' }), { a: 'x' })).toBe(undefined);
    expect(rowOfKinds({ id: { column: 'ID', kind: 'number' } }, { ID: 1 })).toEqual({ id: 1 });
  });
});

describe('a read through the client', () => {
  const columns = columnMapOf({ id: 'number' });
  const fromDatabase = () => Promise.resolve({ id: 2 });
  const answering = (answer: () => unknown): KeyReader => ({
    get: () => Promise.resolve().then(answer) as ReturnType<KeyReader['get']>,
  });
  const read = (answer: () => unknown) =>
    readThrough(answering(answer), ['account', 1], columns, fromDatabase);
  const failing = (code: 'COORDINATOR_UNAVAILABLE' | 'UNKNOWN_RESOURCE') => () => {
    throw new LockstepError(code, 'it fails');
  };

  test('is answered by the cache where the row can be given exactly', async () => {
    expect(await read(() => ({ value: { id: 1 } }))).toEqual({ id: 1 });
    expect(await read(() => null)).toBe(null);
  });

  test('is answered by the database where it cannot, and where nobody answers', async () => {
    expect(await read(() => ({ value: { id: 'x' } }))).toEqual({ id: 2 });
    expect(await read(failing('COORDINATOR_UNAVAILABLE'))).toEqual({ id: 2 });
  });

  test('fails where it would fail again', async () => {
    await expect(read(failing('UNKNOWN_RESOURCE'))).rejects.toThrow('it fails');
  });
});

test('parts of a key are the texts that Lockstep takes', () => {
  expect(keyPartOf(new Date(0))).toBe('1970-01-01T00:00:00.000Z');
  expect(keyPartOf(Buffer.from('ab'))).toBe('YWI=');
  expect(keyPartOf(7n)).toBe('7');
  expect(() => keyPartOf({})).toThrow(TypeError);
  expect(keyPartsOf(['a', 'b'], ['x', 1])).toEqual([
    ['a', 'x'],
    ['b', '1'],
  ]);
  expect(() => keyPartsOf(['a', 'b'], 'x')).toThrow(/1 parts/);
});
