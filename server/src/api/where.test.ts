import { describe, expect, it } from 'vitest';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import { LockstepError } from '../domain/index.ts';
import { filterOf, MAX_LISTED } from './where.ts';

const tickets = resource({
  columns: [
    column('id', 'integer'),
    column('status', 'text'),
    column('balance', 'decimal'),
    column('opened', 'timestamp'),
    column('data', 'json'),
  ],
});

const parsed = (where: unknown) =>
  filterOf(tickets, JSON.stringify(where)).map((condition) => ({
    ...condition,
    column: condition.column.name,
  }));

function faultsOf(where: string | undefined): Record<string, string> {
  try {
    filterOf(tickets, where);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'INVALID')
      return Object.fromEntries(
        (error.details.errors ?? []).map(({ path, message }) => [path, message]),
      );
    throw error;
  }
  return {};
}

describe('the filter of a set', () => {
  it('compares columns with values, which are checked and spelled as in a write', () => {
    expect(
      parsed({
        status: 'open',
        balance: { $gte: 1, $lt: '100.50' },
        opened: { $lte: '2026-01-02T03:04:05+01:00' },
      }),
    ).toEqual([
      { column: 'status', is: '$eq', value: 'open' },
      { column: 'balance', is: '$gte', value: '1' },
      { column: 'balance', is: '$lt', value: '100.50' },
      { column: 'opened', is: '$lte', value: '2026-01-02T02:04:05.000Z' },
    ]);
  });

  it('knows NULL, and lists of values', () => {
    expect(
      parsed({ status: null, balance: { $ne: null }, id: { $in: [1, 2], $gt: 0, $ne: 7 } }),
    ).toEqual([
      { column: 'status', is: 'null' },
      { column: 'balance', is: 'not-null' },
      { column: 'id', is: '$in', values: [1, 2] },
      { column: 'id', is: '$gt', value: 0 },
      { column: 'id', is: '$ne', value: 7 },
    ]);
  });

  it.each([undefined, '', '{}', '[]', 'status=open', '"open"', '{'])(
    'W25: refuses %j, which would mean the whole table or nothing that it knows',
    (where) => {
      expect(Object.keys(faultsOf(where))).toEqual(['where']);
    },
  );

  it.each([
    [{ nothing: 1 }, 'where.nothing', 'is not a column of this resource'],
    [{ status: { $like: 'o%' } }, 'where.status.$like', 'is not known'],
    [{ status: { eq: 'open' } }, 'where.status.eq', 'is not known'],
    [{ status: {} }, 'where.status', 'must be a value, or operators'],
    [{ status: 5 }, 'where.status', 'must be text'],
    [{ id: { $lt: '1; drop table x' } }, 'where.id.$lt', 'must be a whole number'],
    [{ id: { $gt: null } }, 'where.id.$gt', 'must not be null'],
    [{ id: { $in: [] } }, 'where.id.$in', 'must be a list of 1 to'],
    [{ id: { $in: 1 } }, 'where.id.$in', 'must be a list of 1 to'],
    [{ id: { $in: [1, null] } }, 'where.id.$in.1', 'must not be null'],
    [{ id: { $in: Array(MAX_LISTED + 1).fill(1) } }, 'where.id.$in', 'must be a list of 1 to'],
    [{ data: { a: 1 } }, 'where.data', 'cannot be compared'],
  ])('refuses %j by the path of what is wrong', (where, path, message) => {
    expect(faultsOf(JSON.stringify(where))).toMatchObject({
      [path]: expect.stringContaining(message) as string,
    });
  });

  it('names all that is wrong at once', () => {
    expect(Object.keys(faultsOf('{"nothing":1,"id":{"$lt":"x","$like":2}}'))).toEqual([
      'where.nothing',
      'where.id.$lt',
      'where.id.$like',
    ]);
  });
});
