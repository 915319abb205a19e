import { describe, expect, it } from 'vitest';
import { namedSql, readStatements } from './sql-files.ts';

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

describe('readStatements', () => {
  it('reads a shared text for each dialect', () => {
    const shared = `-- name: put
insert into t (id, "key", at_ms) values (:id::bigint, :key::text, {{nowMs}})
on conflict (id) do update set at_ms = excluded.at_ms
-- name: add
insert into t (id) values (:id)
{{returningId}}
`;
    expect(readStatements({ shared }, ['put', 'add'])).toEqual({
      put: {
        pg: 'insert into t (id, "key", at_ms) values (:id::bigint, :key::text, (extract(epoch from clock_timestamp()) * 1000)::bigint)\non conflict (id) do update set at_ms = excluded.at_ms\n',
        mysql2:
          'insert into t (id, `key`, at_ms) values (:id, :key, cast(unix_timestamp(now(3)) * 1000 as signed))\non duplicate key update at_ms = values(at_ms)\n',
      },
      add: {
        pg: 'insert into t (id) values (:id)\nreturning id\n',
        mysql2: 'insert into t (id) values (:id)\n\n',
      },
    });
  });

  it('joins the files of both dialects with what only one of them has', () => {
    const files = {
      shared: '-- name: a\nselect 1\n',
      pg: '-- name: b\nselect 2\n',
      mysql2: '-- name: b\nselect 3\n-- name: c\nselect 4\n',
    };
    expect(readStatements(files, ['a', 'b'], { mysql2: ['c'] })).toEqual({
      a: { pg: 'select 1\n', mysql2: 'select 1\n' },
      b: { pg: 'select 2\n', mysql2: 'select 3\n' },
      c: { mysql2: 'select 4\n' },
    });
    expect(() => readStatements(files, ['a', 'b', 'c'])).toThrow('No file has the statement c');
    expect(() => readStatements(files, ['a', 'b'])).toThrow('Nobody uses the statement c');
  });

  it('reads the files of one dialect alone', () => {
    expect(readStatements({ mysql2: '-- name: a\nselect 1\n' }, ['a'])).toEqual({
      a: { mysql2: 'select 1\n' },
    });
  });
});
