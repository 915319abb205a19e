import { expect, test } from 'vitest';
import { Cards } from './cards.ts';

test('D12: a card below what was acknowledged before its call is found, for each of its rows', () => {
  const cards = new Cards();
  cards.acknowledged('account', 1, 3);
  cards.acknowledged('account', 1, 2);
  const call = cards.begin(1);
  cards.acknowledged('account', 1, 4);
  call.end({ account: 3, profile: 0 });
  expect(cards.faults).toEqual([]);
  cards.begin(2).end({ account: 0, profile: 0 });
  cards.begin(1).end(null);
  expect(cards.faults).toEqual([]);
  cards.begin(1).end({ account: 3, profile: 0 });
  expect(cards.faults).toEqual([expect.stringContaining('account:1')]);
  cards.acknowledged('profile', 1, 1);
  cards.begin(1).end({ account: 4, profile: 0 });
  expect(cards.faults[1]).toContain('profile:1');
  expect(cards.answered).toBe(4);
});
