import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactNumber, type JsonValue } from '@lockstep/shared';
import { parseIncrement, parseRow } from './column-values.ts';
import { column } from '@lockstep/testkit/doubles/resource';

const columns = [
  column('small', 'integer', { range: { min: -32768n, max: 32767n } }),
  column('big', 'bigint', { range: { min: -(2n ** 63n), max: 2n ** 63n - 1n } }),
  column('price', 'decimal'),
  column('ratio', 'float'),
  column('name', 'text', { maxLength: 3 }),
  column('ok', 'boolean'),
  column('at', 'timestamp'),
  column('day', 'date'),
  column('hour', 'time'),
  column('doc', 'json', { sqlType: 'jsonb' }),
  column('raw', 'bytes'),
  column('uid', 'uuid'),
  column('kind', 'other'),
  column('sum', 'bigint', { generated: true }),
];

const parse = (body: JsonValue) => parseRow(columns, body);
const value = (name: string, given: JsonValue): unknown => {
  const parsed = parse({ [name]: given });
  return 'row' in parsed ? parsed.row[name] : undefined;
};

describe('parseRow', () => {
  it.each<[string, JsonValue, JsonValue]>([
    ['small', 7, 7],
    ['small', '007', 7],
    ['small', -0, 0],
    ['big', '9223372036854775807', '9223372036854775807'],
    ['big', '42', 42],
    ['price', 12, '12'],
    ['price', 12.34, '12.34'],
    ['price', '-00.10', '-0.10'],
    ['price', '-0', '0'],
    ['ratio', 1.5e300, 1.5e300],
    ['ratio', 'NaN', 'NaN'],
    ['ratio', new ExactNumber('-0.0'), new ExactNumber('-0.0')],
    ['ratio', new ExactNumber('1E5'), 100000],
    ['price', new ExactNumber('1.10'), '1.10'],
    ['price', new ExactNumber('12345678901234567890.123456789'), '12345678901234567890.123456789'],
    ['price', new ExactNumber('1.25e-3'), '0.00125'],
    ['price', new ExactNumber('-1.25E+3'), '-1250'],
    ['big', new ExactNumber('9223372036854775807'), '9223372036854775807'],
    ['big', new ExactNumber('1e3'), 1000],
    ['small', new ExactNumber('-0'), 0],
    ['small', new ExactNumber('5.0'), 5],
    ['kind', new ExactNumber('1.10'), '1.10'],
    ['name', 'ü\u{1F600}x', 'ü\u{1F600}x'],
    ['ok', false, false],
    ['at', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['at', '2026-01-02 03:04:05.678901+02:30', '2026-01-02T00:34:05.678901Z'],
    ['at', '2026-01-01T00:04-02:00', '2026-01-01T02:04:00.000Z'],
    ['day', '2024-02-29', '2024-02-29'],
    ['hour', '03:04:05', '03:04:05'],
    ['doc', 'C:\\ud8ff\\u0000', 'C:\\ud8ff\\u0000'],
    ['doc', { a: [null, 1] }, { a: [null, 1] }],
    ['raw', 'AAEC/w==', 'AAEC/w=='],
    ['uid', '0A000000-0000-0000-0000-00000000000F', '0a000000-0000-0000-0000-00000000000f'],
    ['kind', 'anything', 'anything'],
    ['small', null, null],
  ])('takes %s = %o', (name, given, canonical) => {
    expect(value(name, given)).toEqual(canonical);
  });

  it.each<[string, JsonValue]>([
    ['small', 32768],
    ['small', 1.5],
    ['small', '1.0'],
    ['small', true],
    ['small', ''],
    ['big', '9223372036854775808'],
    ['price', '1e5'],
    ['price', new ExactNumber('1e1001')],
    ['ratio', new ExactNumber('1e400')],
    ['small', new ExactNumber('1.50')],
    ['big', new ExactNumber('9223372036854775808')],
    ['price', '1'.repeat(1001)],
    ['ratio', '1'],
    ['name', 'four'],
    ['name', 5],
    ['name', 'a\0'],
    ['name', '\ud800'],
    ['ok', 1],
    ['at', '2026-01-02T03:04:05'],
    ['at', '2026-02-30T03:04:05Z'],
    ['at', '2026-01-02T24:00:00Z'],
    ['day', '2023-02-29'],
    ['hour', '3 o’clock'],
    ['doc', { a: 'x\0' }],
    ['doc', ['\udfff']],
    ['raw', 'AAE'],
    ['raw', 'AA-_'],
    ['uid', 'no'],
    ['kind', []],
    ['sum', 'many'],
  ])('refuses %s = %o, naming it', (name, given) => {
    const parsed = parse({ [name]: given });
    expect(parsed).toMatchObject({ faults: [{ path: name }] });
  });

  it('sets columns apart that the database computes', () => {
    expect(parse({ small: 1, sum: 5 })).toEqual({ row: { small: 1 }, repeated: { sum: 5 } });
  });

  it('names every wrong and unknown column', () => {
    const body = JSON.parse(
      '{"__proto__": 1, "constructor": 2, "toString": 3, "small": "x", "ok": true}',
    ) as JsonValue;
    const parsed = parse(body);
    expect('faults' in parsed && parsed.faults.map((fault) => fault.path)).toEqual([
      '__proto__',
      'constructor',
      'toString',
      'small',
    ]);
  });

  it.each<JsonValue>([null, [], 'text', 5])('refuses a body that is no object: %j', (body) => {
    expect(parse(body)).toMatchObject({ faults: [{ path: '' }] });
  });

  it('takes its own canonical values again, unchanged', () => {
    const candidates = fc.oneof(
      fc.tuple(
        fc.constantFrom('small', 'big', 'price', 'ratio'),
        fc.oneof(fc.integer(), fc.double({ noNaN: true })),
      ),
      fc.tuple(
        fc.constant('big'),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      ),
      fc.tuple(
        fc.constant('at'),
        fc
          .date({
            min: new Date('0001-01-02T00:00:00Z'),
            max: new Date('9999-12-30T00:00:00Z'),
            noInvalidDate: true,
          })
          .map((date) => date.toISOString()),
      ),
      fc.tuple(fc.constant('doc'), fc.jsonValue() as fc.Arbitrary<JsonValue>),
    );
    fc.assert(
      fc.property(candidates, ([name, given]) => {
        const once = parse({ [name]: given });
        if ('row' in once) expect(parse(once.row)).toEqual(once);
      }),
    );
  });
});

describe('parseIncrement', () => {
  const increment = (body: JsonValue): unknown => {
    const parsed = parseIncrement(columns, body);
    return 'increment' in parsed ? parsed.increment : parsed.faults.map((fault) => fault.path);
  };

  it('answers exact decimal text', () => {
    expect(increment({ small: -5, big: '9223372036854775807', price: '0.10', ratio: 1.5 })).toEqual(
      {
        small: '-5',
        big: '9223372036854775807',
        price: '0.10',
        ratio: '1.5',
      },
    );
  });

  it('names what cannot be added to, and wrong steps', () => {
    expect(
      increment({ name: 1, small: 1.5, price: 'x', sum: 1, nothing: 1, ok: 1, at: 1 }),
    ).toEqual(
      ['name', 'small', 'price', 'sum', 'nothing', 'ok', 'at'].map((name) => `$inc.${name}`),
    );
    expect(increment(5)).toEqual(['$inc']);
  });
});
