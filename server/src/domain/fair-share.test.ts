import { describe, expect, it } from 'vitest';
import { FairShare } from './fair-share.ts';

const takeAll = (share: FairShare, caller: string): number => {
  let count = 0;
  while (share.take(caller)) count += 1;
  return count;
};

describe('places that are shared fairly (W12)', () => {
  it('are not all one caller’s, and each of the others finds some', () => {
    const share = new FairShare(4_000);
    expect(takeAll(share, 'greedy')).toBe(3_000);
    expect(share.take('other')).toBe(true);
    expect(takeAll(share, 'other')).toBe(999);
  });

  it('that the greedy one gives back go to others until each has its share', () => {
    const share = new FairShare(100);
    takeAll(share, 'a');
    takeAll(share, 'b');
    expect([share.take('a'), share.take('c')]).toEqual([false, false]);
    for (let count = 0; count < 10; count += 1) share.giveBack('a');
    expect(share.take('a')).toBe(false);
    expect(takeAll(share, 'c')).toBe(10);
  });

  it('are never more than there are, whoever comes', () => {
    const share = new FairShare(10);
    const callers = Array.from({ length: 50 }, (_, index) => `caller ${index}`);
    expect(callers.filter((caller) => share.take(caller))).toHaveLength(10);
    expect(new FairShare(1).take('one')).toBe(true);
  });

  it('that were never taken cannot be given back', () => {
    const share = new FairShare(4);
    share.giveBack('nobody');
    expect(takeAll(share, 'one')).toBe(3);
  });
});
