import { expect, it } from 'vitest';
import { diffRows } from './diff.ts';

it('marks what differs, and keeps the order of the columns', () => {
  const lines = diffRows({ id: 1, balance: '2.00' }, { id: 1, balance: '3.00', extra: null });
  expect(lines).toEqual([
    { path: 'id', database: '1', cache: '1', same: true },
    { path: 'balance', database: '"2.00"', cache: '"3.00"', same: false },
    { path: 'extra', database: null, cache: 'null', same: false },
  ]);
});
it('goes into an object that differs, and leaves an equal one whole', () => {
  const lines = diffRows({ a: { x: 1, y: 2 }, b: { z: 1 } }, { a: { x: 1, y: 3 }, b: { z: 1 } });
  expect(lines.map((line) => [line.path, line.same])).toEqual([
    ['a.x', true],
    ['a.y', false],
    ['b', true],
  ]);
});
it('compares arrays as a whole', () => {
  expect(diffRows({ a: [1, 2] }, { a: [2, 1] })[0]?.same).toBe(false);
  expect(diffRows({ a: [1, 2] }, { a: [1, 2] })[0]?.same).toBe(true);
});
it('takes a missing row as one without columns', () => {
  expect(diffRows(null, { id: 1 })).toEqual([
    { path: 'id', database: null, cache: '1', same: false },
  ]);
});
it('is not confused by names that objects inherit', () => {
  const row = JSON.parse('{"__proto__": 1, "constructor": 2, "_t": 3}') as Record<string, number>;
  expect(diffRows(row, row).every((line) => line.same)).toBe(true);
});
