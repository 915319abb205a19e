import { describe, expect, it } from 'vitest';
import { StateSet } from './state-set.ts';

describe('a set of rows', () => {
  it('numbers rows in order and gives equal rows the same number, also after it has grown many times', () => {
    const set = new StateSet(3);
    const rowOf = (index: number): Int32Array => Int32Array.of(index % 97, index >> 3, index);
    for (let index = 0; index < 20_000; index += 1)
      expect(set.add(rowOf(index), index - 1)).toBe(index);
    for (let index = 0; index < 20_000; index += 7) expect(set.add(rowOf(index), 5)).toBe(index);
    expect(set.size).toBe(20_000);
    const row = new Int32Array(3);
    set.read(12_345, row);
    expect([...row]).toEqual([...rowOf(12_345)]);
  });

  it('keeps the path by which a row was first reached', () => {
    const set = new StateSet(1);
    const [a, b, c] = [1, 2, 3].map((part) => Int32Array.of(part));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three rows');
    set.add(a, -1);
    set.add(b, 0);
    set.add(c, 1);
    set.add(c, 0);
    expect(set.pathTo(2)).toEqual([0, 1, 2]);
  });

  it('distinguishes rows whose numbers are the same in another order', () => {
    const set = new StateSet(2);
    expect(set.add(Int32Array.of(1, 2), -1)).toBe(0);
    expect(set.add(Int32Array.of(2, 1), -1)).toBe(1);
  });
});
