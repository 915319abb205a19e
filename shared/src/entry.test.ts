import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry, type Entry } from './entry.ts';

const count = fc.nat({ max: 2 ** 53 - 2 ** 20 - 1 });
const header = { version: count, fence: count, writtenAtMs: count };
const id = fc.stringMatching(/^[\w-]{0,20}$/);
const row = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((value) => JSON.parse(JSON.stringify(value)) as never);
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ state: fc.constant('value' as const), ...header, row: fc.option(row) }),
  fc.record({
    state: fc.constant('value' as const),
    ...header,
    row: fc.option(row),
    graceMs: fc.integer({ min: 1, max: 2 ** 50 }),
    refresh: fc.record({ leaseId: id, untilMs: count }),
  }),
  fc.record({ state: fc.constant('lease' as const), ...header, leaseId: id }),
  fc.record({
    state: fc.constant('intent' as const),
    ...header,
    intentId: id,
    marked: fc.boolean(),
  }),
  fc.record({ state: fc.constant('tombstone' as const), ...header }),
);

describe('the entry codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(entry, (value) => {
        expect(decodeEntry(encodeEntry(value))).toEqual(value);
      }),
    );
  });

  it('writes one JSON header line, a newline and the JSON value', () => {
    const text = encodeEntry({
      state: 'value',
      version: 3,
      fence: 9,
      writtenAtMs: 7,
      row: { a: 1 },
    });
    expect(text).toBe('{"s":"value","v":3,"f":9,"t":7}\n{"a":1}');
  });

  it('calls everything else corrupt and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodeEntry(text).state).toBe('corrupt');
      }),
    );
    for (const text of [
      '{}\nnull',
      '{"s":"value","v":-1,"f":0,"t":0}\n{}',
      '{"s":"value","v":1,"f":0,"t":0}\n[1]',
      '{"s":"intent","v":1,"f":1e308,"t":0}\nnull',
      '{"s":"intent","v":1,"f":9007199254740991,"t":0}\nnull',
      '{"s":"intent","v":1,"f":1.5,"t":0}\nnull',
      '{"s":"intent","v":1,"f":"7","t":0}\nnull',
      '{"s":"intent","v":1,"f":NaN,"t":0}\nnull',
      '{"s":"intent","v":1,"f":7,"t":0,"i":{}}\nnull',
      '{"s":"lease","v":1,"f":7,"t":0,"l":"a\\",\\"s\\":\\"value"}\nnull',
      '{"s":"tombstone","v":1,"f":7,"t":0,"p":7}\nnull',
      '{"s":"value","v":1,"f":7,"t":0,"o":[]}\n{}',
      `${'['.repeat(50_000)}\n{}`,
    ]) {
      expect(decodeEntry(text).state).toBe('corrupt');
    }
  });

  it('reads and writes a row however deep its documents are nested', () => {
    const text = `{"s":"value","v":1,"f":7,"t":0}\n{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const entry = decodeEntry(text);
    if (entry.state === 'corrupt') throw new Error(entry.reason);
    expect(encodeEntry(entry) === text).toBe(true);
  });
});
