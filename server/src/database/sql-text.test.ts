import { describe, expect, it } from 'vitest';
import { bindSql, compileSql, quoteName, renderSql } from './sql-text.ts';

describe('compileSql', () => {
  it('numbers placeholders on PostgreSQL, each name once, and leaves casts alone', () => {
    const sql = compileSql('pg', '-- a :comment\nselect :a::text, :b, :a, x::int\n');
    expect(sql).toEqual({ text: 'select $1::text, $2, $1, x::int', order: ['a', 'b'] });
    expect(bindSql(sql, { a: 1, b: 'two', c: null })).toEqual([1, 'two']);
  });

  it('repeats placeholders on MySQL', () => {
    const sql = compileSql('mysql2', 'select :a, :b, :a');
    expect(sql.text).toBe('select ?, ?, ?');
    expect(bindSql(sql, { a: 1, b: 2 })).toEqual([1, 2, 1]);
  });

  it('refuses a missing value', () => {
    expect(() => bindSql(compileSql('pg', 'select :a'), {})).toThrow(':a');
  });
});

it('renders fragments, and refuses a missing one', () => {
  expect(renderSql('a {{b}} {{b}}', { b: '$&' })).toBe('a $& $&');
  expect(() => renderSql('{{c}}', {})).toThrow('{{c}}');
});

it('quotes names with their schema', () => {
  expect(quoteName('pg', 'app.ac"count')).toBe('"app"."ac""count"');
  expect(quoteName('mysql2', 'a`b')).toBe('`a``b`');
});
