import { describe, expect, it } from 'vitest';
import { namedSql, statementsOf } from './named-sql.ts';

const FILE = `-- About the table.

-- name: first
-- Why.
select 1

-- name: second
select 2
from t
`;

describe('namedSql', () => {
  it('gives each statement as it stands in the file', () => {
    expect(namedSql(FILE, ['first', 'second'])).toEqual({
      first: '-- Why.\nselect 1\n',
      second: 'select 2\nfrom t\n',
    });
  });

  it('refuses a statement that is missing, unused or there twice', () => {
    expect(() => namedSql(FILE, ['first', 'second', 'third'])).toThrow('third');
    expect(() => namedSql(FILE, ['first'])).toThrow('second');
    expect(() => namedSql(FILE + FILE, ['first', 'second'])).toThrow('twice');
  });
});

it('gives the statements of one database by its name', () => {
  expect(statementsOf('pg', FILE, ['first', 'second']).second).toEqual({
    pg: 'select 2\nfrom t\n',
  });
});
