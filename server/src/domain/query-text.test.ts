import { describe, expect, it } from 'vitest';
import { parseQuery } from './query-text.ts';
import { DIALECTS, type DatabaseClient } from '../dialects/index.ts';

const parse = (source: string, client: DatabaseClient = 'pg') =>
  parseQuery(source, DIALECTS[client].queries.spelling);
const sqlOf = (source: string, client?: DatabaseClient): string =>
  parse(source, client)
    .parts.map((part) => ('sql' in part ? part.sql : `<${part.parameter}>`))
    .join('');

describe('the text of a query', () => {
  it('finds its parameters, each once', () => {
    const query = parse('select a from t where b = {b} or c in ({c}, {b})');
    expect(query.parameters).toEqual(['b', 'c']);
    expect(sqlOf(query.source)).toBe('select a from t where b = <b> or c in (<c>, <b>)');
  });

  it('takes nothing for a parameter that stands in quotes or comments', () => {
    const query = `select '{a}', "{b}", $x$ {c} $x$, E'\\'{d}' -- {e}\n from /* {f} */ t where g = {g}`;
    expect(parse(query).parameters).toEqual(['g']);
    const mysql = "select \"{a}\", '\\'{b}', `{c}` # {d}\n from t where g = {g}";
    expect(parse(mysql, 'mysql2').parameters).toEqual(['g']);
  });

  it('tells an outermost order and limit from those within', () => {
    const plain = 'select a from (select a from t order by a limit 1) as q where a = {a}';
    expect(parse(plain)).toMatchObject({ isOrdered: false, hasLimit: false });
    expect(parse(`${plain} order by a`)).toMatchObject({ isOrdered: true, hasLimit: false });
    expect(parse(`${plain} fetch first 3 rows only`)).toMatchObject({ hasLimit: true });
    expect(parse(`${plain} LIMIT 3`)).toMatchObject({ hasLimit: true });
  });

  it.each([
    ['update t set a = {a}', 'no select'],
    ['select 1; select 2', 'more than one statement'],
    ['select a from t where a = {a} for update', 'contains for'],
    ['select a into x from t', 'contains into'],
    ['select a from t where a = {}', 'a brace that is not part of a placeholder'],
  ])('refuses %s', (source, wrong) => {
    expect(() => parse(source)).toThrow(wrong);
  });

  it('takes a semicolon and a comment at its end', () => {
    expect(sqlOf('select 1 ; -- that is all')).toBe('select 1');
  });

  it('refuses a ? where the driver would bind it', () => {
    expect(() => parse("select '?'", 'mysql2')).toThrow('char(63)');
    expect(sqlOf("select a ? 'b' from t")).toBe("select a ? 'b' from t");
    expect(parse('select 1 -- really?', 'mysql2').parameters).toEqual([]);
  });
});
