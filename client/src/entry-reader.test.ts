import fc from 'fast-check';
import { decodeEntry, encodeEntry } from '@lockstep/shared/for-clients';
import { describe, expect, it } from 'vitest';
import { readEntry } from './entry-reader.ts';

const OWNER = 'c1/account#0123456789ab';
const HEAD = {
  version: 7,
  fence: 1_700_000_000_000_001,
  writtenAtMs: 1_700_000_000_000,
  owner: OWNER,
};
const value = (changes: object = {}): string =>
  encodeEntry({ state: 'value', ...HEAD, row: { id: 7, owner: 'Ada' }, ...changes });

describe('an entry', () => {
  it('RP4: of the own resource with a value is answered', () => {
    expect(readEntry(value(), OWNER)).toEqual({
      version: 7,
      row: { text: '{"id":7,"owner":"Ada"}' },
    });
  });

  it('RP4: with null as its body says that there is no row', () => {
    expect(readEntry(value({ row: null }), OWNER)).toEqual({ version: 7, row: null });
  });

  it('RP4: keeps the tag of a row that another program changed, and log positions', () => {
    const text = value({ tag: 'k2f', reached: '7@0-1-7', upTo: '9' });
    expect(readEntry(text, OWNER)).toMatchObject({
      version: 7,
      tag: 'k2f',
      reached: '7@0-1-7',
      upTo: '9',
    });
  });

  it.each([
    ['intent', { state: 'intent', ...HEAD, intentId: 'i', marked: false }],
    ['lease', { state: 'lease', ...HEAD, leaseId: 'l' }],
    ['tombstone', { state: 'tombstone', ...HEAD }],
  ] as const)('RP3: that is a %s is not answered', (state, entry) => {
    expect(readEntry(encodeEntry(entry), OWNER)).toBe(state);
  });

  it.each([
    ['of another resource', 'c1/sealed#0123456789ab'],
    ['of another cluster', 'c2/account#0123456789ab'],
    ['of other columns', 'c1/account#ffffffffffff'],
    ['whose owner is only the beginning of the own', 'c1/account#0123456789'],
    ['whose owner begins with the own', `${OWNER}0`],
    ['of nobody', undefined],
  ])('RP5: %s is not answered', (_, owner) => {
    const { owner: _own, ...head } = HEAD;
    const named = owner === undefined ? head : { ...head, owner };
    expect(readEntry(encodeEntry({ state: 'value', ...named, row: { id: 7 } }), OWNER)).toBe(
      'foreign',
    );
  });

  it.each([
    ['nothing', ''],
    ['plain JSON', '{"id":7}'],
    ['a header alone', value().split('\n')[0] ?? ''],
    ['no body', `${value().split('\n')[0]}\n`],
    ['a list', `${value().split('\n')[0]}\n[1]`],
    ['a body that was cut off', value().slice(0, -3)],
    ['a version beyond all counts', value().replace('"v":7', '"v":99999999999999999')],
    ['no version', value().replace('"v":7', '"v":')],
    ['a state of a later release', value().replace('"s":"value"', '"s":"later"')],
  ])('RP6: that is %s is not answered', (_, text) => {
    expect(readEntry(text, OWNER)).toBe('corrupt');
  });

  it('RP3: that is not there is a miss', () => {
    expect(readEntry(null, OWNER)).toBe('absent');
  });

  it('is read by its places as the codec reads it', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'{}":,svfto0179\n null'), maxLength: 40 });
    const cut = fc.nat({ max: value().length });
    fc.assert(
      fc.property(cut, cut, texts, (from, to, between) => {
        const text = value().slice(0, from) + between + value().slice(to);
        const read = readEntry(text, OWNER);
        if (typeof read === 'string') return;
        const entry = decodeEntry(text);
        // The body is parsed later: it may still turn out to be no row.
        if (entry.state === 'corrupt') expect(entry.reason).toBe('unreadable body');
        else expect(entry).toMatchObject({ state: 'value', version: read.version, owner: OWNER });
      }),
      { numRuns: 20_000 },
    );
  });
});
