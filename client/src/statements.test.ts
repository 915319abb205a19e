import { describe, expect, test } from 'vitest';
import { guardSql, invalidateSql } from './statements.ts';

describe('the call of lockstep_invalidate', () => {
  test('of a row, on both databases and with both placeholders', () => {
    const call = 'lockstep_invalidate';
    expect(invalidateSql('pg', 'account', 42)).toEqual([`select ${call}(?, ?)`, ['account', '42']]);
    expect(invalidateSql('pg', 'account', 42n, '$')).toEqual([
      ...[`select ${call}($1, $2)`, ['account', '42']],
    ]);
    expect(invalidateSql('mysql2', 'account', '042')).toEqual([
      ...[`call ${call}(?, json_array(?))`, ['account', '042']],
    ]);
  });

  test('of a composite key, its first part and a whole resource', () => {
    expect(invalidateSql('pg', 'route', ['JFK', 7], '$')).toEqual([
      ...['select lockstep_invalidate($1, $2, $3)', ['route', 'JFK', '7']],
    ]);
    expect(invalidateSql('mysql2', 'route', ['JFK'])).toEqual([
      ...['call lockstep_invalidate(?, json_array(?))', ['route', 'JFK']],
    ]);
    for (const key of [undefined, []]) {
      expect(invalidateSql('pg', 'route', key)).toEqual([
        'select lockstep_invalidate(?)',
        ['route'],
      ]);
      expect(invalidateSql('mysql2', 'route', key)).toEqual([
        ...['call lockstep_invalidate(?, json_array())', ['route']],
      ]);
    }
  });
});

test('the call of lockstep_guard has the fence and the key as the coordinator spelled it', () => {
  const guarded = { resource: 'route', key: ['JFK', 'LAX'], fence: 7, version: 1 };
  const values = ['route', 7, 'JFK', 'LAX'];
  expect(guardSql('pg', guarded, '$')).toEqual(['select lockstep_guard($1, $2, $3, $4)', values]);
  expect(guardSql('mysql2', guarded, '?')).toEqual([
    ...['call lockstep_guard(?, ?, json_array(?, ?))', values],
  ]);
});
