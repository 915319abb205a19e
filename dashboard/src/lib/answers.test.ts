import type { ResourceSummary, Row } from '@lockstep/shared';
import { expect, it } from 'vitest';
import { columnsOf, diffAnswers, findQuery, rowsOf } from './answers.ts';

const [a, b, c, d]: Row[] = ['a', 'b', 'c', 'd'].map((id) => ({ id }));
const shape = (database: (Row | undefined)[], cache: (Row | undefined)[]): string =>
  diffAnswers(database.filter(isThere), cache.filter(isThere))
    .map(({ row, side }) => `${String(row['id'])}:${side}`)
    .join(' ');
const isThere = (row: Row | undefined): row is Row => row !== undefined;

it('tells the rows of both answers from those of one', () => {
  expect(shape([a, b, c], [a, c, d])).toBe('a:both b:database c:both d:cache');
  expect(shape([a, b], [b, a])).toBe('b:cache a:both b:database');
  expect(shape([a, b], [a, b])).toBe('a:both b:both');
});
it('goes to the end of both where one is empty', () => {
  expect(shape([], [a, b])).toBe('a:cache b:cache');
  expect(shape([a, b], [])).toBe('a:database b:database');
  expect(shape([], [])).toBe('');
});
it('takes a row that was changed as one that went and one that came', () => {
  const lines = diffAnswers([{ id: 1, name: 'new' }], [{ id: 1, name: 'old' }]);
  expect(lines).toEqual([
    { row: { id: 1, name: 'new' }, side: 'database' },
    { row: { id: 1, name: 'old' }, side: 'cache' },
  ]);
});
it('keeps rows that are there twice', () => {
  expect(shape([a, a, b], [a, b])).toMatch(/^a:(both|database) a:(both|database) b:both$/);
});
it('reads an answer, and nothing else, as one', () => {
  expect(rowsOf({ rows: [{ id: 1 }] })).toEqual([{ id: 1 }]);
  expect(rowsOf({ rows: [] })).toEqual([]);
  for (const value of [null, undefined, [], 'x', { id: 1 }, { rows: 'x' }, { rows: [1] }])
    expect(rowsOf(value)).toBeNull();
});
it('names every column once', () => {
  expect(columnsOf(diffAnswers([{ id: 1 }], [{ id: 1, extra: 2 }]))).toEqual(['id', 'extra']);
});
it('finds a resource that is a query', () => {
  const resource: ResourceSummary = {
    ...{ resource: 'account', table: 'accounts', key: ['id'], policy: 'strict' },
    ...{ cacheKey: 'account:{id}', ttlMs: 1, audit: null },
  };
  const query = { ...resource, resource: 'owners', table: '', query: 'select 1' };
  expect(findQuery([resource, query], 'owners')).toBe(query);
  expect(findQuery([resource, query], 'account')).toBeNull();
});
