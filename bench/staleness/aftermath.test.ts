import { expect, test } from 'vitest';
import { countLost } from './aftermath.ts';

const counts = (ofKey1: number) => Int32Array.from([0, ofKey1]);

test('counts an acknowledged write that the row lacks as lost', () => {
  const acknowledged = { writes: counts(9), additions: counts(4) };
  expect(countLost([{ id: 1, n: 9, counter: 4 }], acknowledged)).toBe(0);
  expect(countLost([{ id: 1, n: 9, counter: 1 }], acknowledged)).toBe(3);
  expect(countLost([{ id: 1, n: 7, counter: 4 }], acknowledged)).toBe(2);
});

test('an unanswered write of one key does not excuse a lost write of another', () => {
  const acknowledged = { writes: Int32Array.from([0, 5, 5]), additions: new Int32Array(3) };
  const rows = [
    { id: 1, n: 6, counter: 0 },
    { id: 2, n: 4, counter: 0 },
  ];
  expect(countLost(rows, acknowledged)).toBe(1);
});
