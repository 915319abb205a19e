import { describe, expect, it } from 'vitest';
import { TransactionsInView } from './transactions-in-view.ts';

const after = (xids: number[], snapshot: string): boolean => {
  const inView = new TransactionsInView();
  for (const xid of xids) inView.streamed(xid);
  inView.look(snapshot);
  return inView.isEmpty;
};

describe('transactions in view', () => {
  it('C1: one is seen once no snapshot counts it among those that run', () => {
    expect(after([749], '748:755:748,751')).toBe(true);
    expect(after([751], '748:755:748,751')).toBe(false);
    expect(after([755], '755:755:')).toBe(false);
    expect(after([749, 751], '748:755:751')).toBe(false);
  });

  it('C1: numbers are compared over the wrap of their 32 bits', () => {
    const wrap = 2n ** 32n;
    expect(after([2 ** 32 - 1], `${wrap + 5n}:${wrap + 9n}:`)).toBe(true);
    expect(after([3], `${wrap - 2n}:${wrap - 1n}:`)).toBe(false);
    expect(after([-1], `${wrap - 9n}:${wrap}:${wrap - 1n}`)).toBe(false);
  });
});
