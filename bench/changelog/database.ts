/** A table that is written past Lockstep, on PostgreSQL or on MySQL and MariaDB. */
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { mysqlNumbers } from '@lockstep/testkit/servers';

export const KEY_COUNT = 50_000;
const CONNECTIONS = 8;

export interface Database {
  /** Changes `count` rows from `first` on, in one transaction. */
  changeMany(first: number, count: number): Promise<void>;
  changeOne(id: number): Promise<void>;
  close(): Promise<void>;
}

const TABLE =
  'create table items (id integer primary key, owner varchar(40) not null, n bigint not null default 0)';
export const TABLE_SQL = {
  pg: `${TABLE};
insert into items (id, owner) select id, 'owner ' || id from generate_series(0, ${KEY_COUNT - 1}) as id;
`,
  mysql2: `${TABLE};
insert into items (id, owner) select n - 1, concat('owner ', n - 1) from ${mysqlNumbers(KEY_COUNT)};
`,
};

const MANY = (from: string, to: string): string =>
  `update items set n = n + 1 where id >= ${from} and id < ${to}`;

export function openDatabase(url: string): Database {
  return url.startsWith('postgres') ? openPg(url) : openMysql(url);
}

function openPg(url: string): Database {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  return {
    changeMany: async (first, count) => {
      await pool.query(MANY('$1', '$2'), [first, first + count]);
    },
    changeOne: async (id) => {
      await pool.query({
        name: 'one',
        text: 'update items set n = n + 1 where id = $1',
        values: [id],
      });
    },
    close: () => pool.end(),
  };
}

function openMysql(url: string): Database {
  const pool = createPool({ uri: url, connectionLimit: CONNECTIONS });
  return {
    changeMany: async (first, count) => {
      await pool.query(MANY('?', '?'), [first, first + count]);
    },
    changeOne: async (id) => {
      await pool.execute('update items set n = n + 1 where id = ?', [id]);
    },
    close: () => pool.end(),
  };
}
