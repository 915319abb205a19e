import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry, type Entry } from './entry.ts';

const header = {
  version: fc.maxSafeNat(),
  fence: fc.maxSafeNat(),
  writtenAtMs: fc.maxSafeNat(),
};
const row = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((value) => JSON.parse(JSON.stringify(value)) as never);
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ state: fc.constant('value' as const), ...header, row: fc.option(row) }),
  fc.record({ state: fc.constant('lease' as const), ...header, leaseId: fc.string() }),
  fc.record({
    state: fc.constant('intent' as const),
    ...header,
    intentId: fc.string(),
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
    ]) {
      expect(decodeEntry(text).state).toBe('corrupt');
    }
  });
});
