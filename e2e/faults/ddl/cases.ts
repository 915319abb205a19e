/** Kinds of DDL that change what a cached table answers, and the tables that they are tried on. */
import type { SqlClient } from '../../support/shop.ts';

export interface DdlCase {
  name: string;
  /** Statements, with `:t` for the table. Several are no transaction, but on PostgreSQL where `together` is set. */
  ddl: Partial<Record<SqlClient, readonly string[]>>;
  together?: true;
  /** What the rows of keys 1 to 4 and of key 9 are then; null: there is none. */
  after: { busy: 'there' | 'gone'; quiet: object | null };
  /** The table is away, or without rows, for a moment. */
  isGone?: true;
}

const both = (...statements: string[]): DdlCase['ddl'] => ({ pg: statements, mysql2: statements });
const MADE = 'create table :t_new (id int primary key, n int, note varchar(20))';
const FILLED = `insert into :t_new values (1, 0, 'new'), (2, 0, 'new'), (3, 0, 'new'), (4, 0, 'new'), (9, 5, 'new')`;
const NEW = { id: 9, n: 5, note: 'new' };

export const DDL_CASES: readonly DdlCase[] = [
  {
    name: 'another type',
    ddl: {
      pg: ['alter table :t alter column n type numeric(20, 2)'],
      mysql2: ['alter table :t modify n decimal(20, 2)'],
    },
    after: { busy: 'there', quiet: { id: 9, n: '0.00', note: 'old' } },
  },
  {
    name: 'a column more',
    ddl: both('alter table :t add column made int default 7'),
    after: { busy: 'there', quiet: { id: 9, n: 0, note: 'old', made: 7 } },
  },
  {
    name: 'a column less',
    ddl: both('alter table :t drop column note'),
    after: { busy: 'there', quiet: { id: 9, n: 0 } },
  },
  {
    name: 'another name of a column',
    ddl: both('alter table :t rename column note to remark'),
    after: { busy: 'there', quiet: { id: 9, n: 0, remark: 'old' } },
  },
  {
    name: 'another table under its name',
    ddl: {
      pg: [MADE, FILLED, 'alter table :t rename to :t_old', 'alter table :t_new rename to :t'],
      mysql2: [MADE, FILLED, 'rename table :t to :t_old, :t_new to :t'],
    },
    together: true,
    after: { busy: 'there', quiet: NEW },
  },
  {
    name: 'a table that is dropped and made anew',
    ddl: both('drop table :t', MADE.replace(':t_new', ':t'), FILLED.replace(':t_new', ':t')),
    isGone: true,
    after: { busy: 'there', quiet: NEW },
  },
  {
    name: 'no rows any more (truncate)',
    ddl: both('truncate table :t'),
    after: { busy: 'gone', quiet: null },
  },
  {
    name: 'other rows under its keys (truncate)',
    ddl: both('truncate table :t', FILLED.replace(':t_new', ':t')),
    isGone: true,
    after: { busy: 'there', quiet: NEW },
  },
  {
    name: 'a partition less',
    ddl: { pg: ['drop table :t_high'], mysql2: ['alter table :t drop partition high'] },
    after: { busy: 'there', quiet: null },
  },
  {
    name: 'a partition that is emptied',
    ddl: { pg: ['truncate table :t_high'], mysql2: ['alter table :t truncate partition high'] },
    after: { busy: 'there', quiet: null },
  },
  {
    name: 'another partition in the place of one',
    ddl: {
      pg: [
        'create table :t_new (id int not null, n int, note varchar(20))',
        `insert into :t_new values (9, 5, 'new')`,
        'alter table :t detach partition :t_high',
        'alter table :t attach partition :t_new for values from (5) to (10)',
      ],
      mysql2: [
        MADE,
        `insert into :t_new values (9, 5, 'new')`,
        'alter table :t exchange partition high with table :t_new',
      ],
    },
    after: { busy: 'there', quiet: NEW },
  },
];

const hasPartitions = ({ name }: DdlCase): boolean => name.includes('partition');

/** Rows 1 to 4 and 9, each with `n` 0. Where the case is about partitions, 1 to 4 are in one and 9 is in another. */
export function tableSql(client: SqlClient, table: string, each: DdlCase): string[] {
  const columns = '(id int primary key, n int, note varchar(20))';
  const rows = `insert into ${table} values (1, 0, 'old'), (2, 0, 'old'), (3, 0, 'old'), (4, 0, 'old'), (9, 0, 'old')`;
  if (!hasPartitions(each)) return [`create table ${table} ${columns}`, rows];
  if (client === 'mysql2') {
    const parts = '(partition low values less than (5), partition high values less than (10))';
    return [`create table ${table} ${columns} partition by range (id) ${parts}`, rows];
  }
  return [
    `create table ${table} ${columns} partition by range (id)`,
    `create table ${table}_low partition of ${table} for values from (0) to (5)`,
    `create table ${table}_high partition of ${table} for values from (5) to (10)`,
    rows,
  ];
}
