import { describe, expect, it } from 'vitest';
import { agreesWithRow } from './cached-copy.ts';

const row = { id: '7', owner: 'Ada', balance: '1.10', on: true, at: '2026-01-02T03:04:05.000Z' };
const agrees = (cached: unknown, found: typeof row | null = row): boolean | null =>
  agreesWithRow(typeof cached === 'string' ? cached : JSON.stringify(cached), found, ['id']);

describe('what a service has cached', () => {
  it.each([
    ['some of the columns', { id: 7, owner: 'Ada' }],
    ['other fields besides', { owner: 'Ada', cachedAt: 12 }],
    ['a number in another spelling', { balance: 1.1 }],
    ['a boolean as a number', { on: 1 }],
    ['a moment in another spelling', { at: '2026-01-02T04:04:05+01:00' }],
  ])('agrees with the row if it has %s', (_, cached) => {
    expect(agrees(cached)).toBe(true);
  });

  it.each([
    ['another text', { owner: 'Bea' }],
    ['another number', { owner: 'Ada', balance: 1.2 }],
    ['another boolean', { on: 0 }],
    ['nothing where the row has something', { owner: null }],
    ['another moment', { at: '2026-01-02T03:04:06Z' }],
    ['a copy of a row that is gone', { owner: 'Ada' }, null],
    ['the absence of a row that is there', null],
  ])('disagrees if it has %s', (_, cached, found: typeof row | null = row) => {
    expect(agrees(cached, found)).toBe(false);
  });

  it('agrees where both say that there is no row', () => {
    expect(agrees(null, null)).toBe(true);
  });

  it.each([
    ['text', 'Ada'],
    ['a list', [1]],
    ['other fields only', { name: 'x' }],
    ['the key only', { id: 7 }],
  ])('cannot be compared if it is %s', (_, cached) => {
    expect(agrees(cached)).toBeNull();
  });
});
