import { describe, expect, it } from 'vitest';
import { type DatabaseClient, DIALECTS } from '../../dialects/index.ts';
import { SqlFile } from './sql-files.ts';
import type { SqlDialect } from './sql.ts';

describe('the statements of an SQL file', () => {
  const dialect = (client: DatabaseClient, sqlFiles: Record<string, string> = {}): SqlDialect => ({
    ...DIALECTS[client],
    sqlFiles,
  });

  it('reads a shared text in the words of each database', () => {
    const shared = `-- name: put
insert into t (id, "key", at_ms) values (:id::bigint, :key::text, {{nowMs}})
on conflict (id) do update set at_ms = excluded.at_ms
-- name: add
insert into t (id) values (:id)
{{returningId}}
`;
    const SQL = new SqlFile({ name: 'a', shared, names: ['put', 'add'] }).statements;
    const [pg, mysql] = [dialect('pg'), dialect('mysql2')];
    expect(SQL.put.textFor(pg)).toBe(
      'insert into t (id, "key", at_ms) values (:id::bigint, :key::text, (extract(epoch from clock_timestamp()) * 1000)::bigint)\non conflict (id) do update set at_ms = excluded.at_ms\n',
    );
    expect(SQL.put.textFor(mysql)).toBe(
      'insert into t (id, `key`, at_ms) values (:id, :key, cast(unix_timestamp(now(3)) * 1000 as signed))\non duplicate key update at_ms = values(at_ms)\n',
    );
    expect(SQL.add.textFor(pg)).toBe('insert into t (id) values (:id)\nreturning id\n');
    expect(SQL.add.textFor(mysql)).toBe('insert into t (id) values (:id)\n\n');
  });

  it('joins what databases share with what each has', () => {
    const shared = '-- name: a\nselect 1\n';
    const SQL = new SqlFile({ name: 'joined', shared, names: ['a', 'b'], optional: ['c'] })
      .statements;
    const pg = dialect('pg', { joined: '-- name: b\nselect 2\n' });
    const mysql = dialect('mysql2', { joined: '-- name: b\nselect 3\n-- name: c\nselect 4\n' });
    expect([SQL.a, SQL.b, SQL.c].map((each) => each.textFor(pg))).toEqual([
      ...['select 1\n', 'select 2\n', undefined],
    ]);
    expect([SQL.a, SQL.b, SQL.c].map((each) => each.textFor(mysql))).toEqual([
      ...['select 1\n', 'select 3\n', 'select 4\n'],
    ]);
  });

  it('finds what a database lacks, and what it has for nobody', () => {
    const shared = '-- name: a\nselect 1\n';
    const file = new SqlFile({ name: 'needed', shared, names: ['a', 'b'] });
    const having = (needed: string) => () => file.check(dialect('pg', { needed }));
    expect(having('-- name: b\nselect 2\n')).not.toThrow();
    expect(having('')).toThrow('No file has the statement b');
    expect(having('-- name: b\nselect 2\n-- name: c\nselect 3\n')).toThrow('c');
    expect(having('-- name: b\nselect 2\n-- name: a\nselect 3\n')).toThrow('Two files');
  });
});
