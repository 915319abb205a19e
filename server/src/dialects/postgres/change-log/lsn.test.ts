import { expect, it } from 'vitest';
import { formatLsn, parseLsn } from './lsn.ts';

it('C6: a position is the same after it was a number, whatever zeros it had', () => {
  expect(formatLsn(parseLsn('16/B374D848'))).toBe('16/B374D848');
  expect(formatLsn(parseLsn('00000001/00000000') - 1n)).toBe('0/FFFFFFFF');
  expect(parseLsn('1/0') > parseLsn('0/FFFFFFFF')).toBe(true);
});
