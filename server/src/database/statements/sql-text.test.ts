import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindSql, compileSql, quoteName, quoteTable, renderSql } from './sql-text.ts';
import { DIALECTS } from '../../dialects/index.ts';

const POSTGRES = DIALECTS.pg.spelling;
const MYSQL = DIALECTS.mysql2.spelling;

describe('compileSql', () => {
  it('numbers placeholders on PostgreSQL, each name once, and leaves casts alone', () => {
    const sql = compileSql(POSTGRES, '-- a :comment\nselect :a::text, :b, :a, x::int\n');
    expect(sql).toEqual({ text: 'select $1::text, $2, $1, x::int', order: ['a', 'b'] });
    expect(bindSql(sql, { a: 1, b: 'two', c: null })).toEqual([1, 'two']);
  });

  it('repeats placeholders on MySQL', () => {
    const sql = compileSql(MYSQL, 'select :a, :b, :a');
    expect(sql.text).toBe('select ?, ?, ?');
    expect(bindSql(sql, { a: 1, b: 2 })).toEqual([1, 2, 1]);
  });

  it('refuses a missing value', () => {
    expect(() => bindSql(compileSql(POSTGRES, 'select :a'), {})).toThrow(':a');
  });
});

it('renders fragments, and refuses a missing one', () => {
  expect(renderSql('a {{b}} {{b}}', { b: '$&' })).toBe('a $& $&');
  expect(() => renderSql('{{c}}', {})).toThrow('{{c}}');
});

it('quotes tables with their schema, and a name of any make as one name', () => {
  expect(quoteTable(POSTGRES, 'app.account')).toBe('"app"."account"');
  expect(quoteTable(MYSQL, 'app."price.list"')).toBe('`app`.`price.list`');
  expect(quoteName(POSTGRES, 'app.ac"count')).toBe('"app.ac""count"');
  expect(quoteName(MYSQL, 'a`b')).toBe('`a``b`');
});

describe.each(['pg', 'mysql2'] as const)('a name in a statement for %s', (client) => {
  const { spelling } = DIALECTS[client];

  it('is never taken for a placeholder, a fragment or a comment, whatever it is made of', () => {
    const piece = fc.constantFrom(
      ':id',
      ' :id',
      '--',
      '\n--',
      '\n -- x',
      '?',
      '$1',
      '{{table}}',
      '"',
      "'",
      '`',
      '\\',
      '/*',
      '::',
      'a',
    );
    const name = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
    const template =
      '-- One row.\nselect {{columns}}\nfrom {{table}} as r -- the table\nwhere {{key}} = :id';
    fc.assert(
      fc.property(name, name, name, (column, table, key) => {
        const fragments = {
          columns: quoteName(spelling, column),
          table: quoteName(spelling, table),
          key: quoteName(spelling, key),
        };
        const { text, order } = compileSql(spelling, renderSql(template, fragments));
        expect(order).toEqual(['id']);
        expect(text.replaceAll(/ \n/g, '\n')).toBe(
          `select ${fragments.columns}\nfrom ${fragments.table} as r\nwhere ${fragments.key} = ${client === 'pg' ? '$1' : '?'}`,
        );
      }),
    );
  });
});
