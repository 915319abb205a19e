import { encodeEntry } from '@lockstep/shared/for-clients';
import { describe, expect, it } from 'vitest';
import { bodyOfValue, readComputedEntry } from './computed-entry.ts';

const owner = 'c1/card#0123456789ab';
const base = { version: 0, fence: 3, writtenAtMs: 5, owner };
const refresh = { leaseId: 'l1', untilMs: 9 };

describe('the entry of a computed resource', () => {
  it.each([
    [{}, { graceMs: 0, leaseId: null }],
    [{ graceMs: 7 }, { graceMs: 7, leaseId: null }],
    [
      { graceMs: 7, refresh },
      { graceMs: 7, leaseId: 'l1' },
    ],
    [{ refresh }, { graceMs: 0, leaseId: 'l1' }],
    // Not as the scripts write it: the codec reads it.
    [
      { tag: 'x', graceMs: 7, refresh },
      { graceMs: 7, leaseId: 'l1' },
    ],
  ])('says what a value is, and for how long: %j', (header, expected) => {
    const text = encodeEntry({ state: 'value', ...base, row: { value: [1, '}'] }, ...header });
    expect(readComputedEntry(text, owner)).toEqual({
      ...{ state: 'value', text: '[1,"}"]', ...expected },
    });
  });

  it('says that there is nothing', () => {
    const text = encodeEntry({ state: 'value', ...base, row: null });
    expect(readComputedEntry(text, owner)).toMatchObject({ state: 'value', text: 'null' });
    expect(bodyOfValue('null')).toBe('null');
  });

  it('names the lease under which a loader runs', () => {
    const text = encodeEntry({ state: 'lease', ...base, leaseId: 'l1' });
    expect(readComputedEntry(text, owner)).toEqual({ state: 'leased', leaseId: 'l1' });
  });

  it.each([
    ['nothing', null],
    ['a tombstone', encodeEntry({ state: 'tombstone', ...base })],
    ['another resource’s value', encodeEntry({ state: 'value', ...base, owner: 'x', row: {} })],
    ['a row', encodeEntry({ state: 'value', ...base, row: { id: 1 } })],
    ['no entry', 'written by someone else'],
  ])('is missing where %s stands there', (_, text) => {
    expect(readComputedEntry(text, owner)).toEqual({ state: 'missing' });
  });
});
