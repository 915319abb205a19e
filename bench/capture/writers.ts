/** Programs that change a table with capture triggers, and its twin without them, by plain SQL. */
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { mysqlNumbers } from '@lockstep/testkit/servers';

export const ROW_COUNT = 50_000;
const CONNECTIONS = 8;

/** `items` gets capture triggers, `twins` none. */
export type Table = 'items' | 'twins';

const tableSql = (table: Table, numbers: string): string =>
  `create table ${table} (id integer primary key, owner varchar(40) not null, n bigint not null default 0);
insert into ${table} (id, owner) select n - 1, concat('owner ', n - 1) from ${numbers};
`;
const both = (numbers: string): string => tableSql('items', numbers) + tableSql('twins', numbers);

export const TABLES_SQL = {
  pg: both(`generate_series(1, ${ROW_COUNT}) as s (n)`),
  mysql2: both(mysqlNumbers(ROW_COUNT)),
};

export interface Writers {
  /** Changes rows from `first` on by one statement, which commits by itself. */
  change(table: Table, first: number, count: number): Promise<void>;
  /** Rows that triggers have noted and that are not invalidated yet. */
  left(): Promise<number>;
  close(): Promise<void>;
}

export const openWriters = (url: string): Writers =>
  url.startsWith('postgres') ? openPg(url) : openMysql(url);

const LEFT = 'select count(*) as n from lockstep_invalidations';

function openPg(connectionString: string): Writers {
  const pool = new pg.Pool({ connectionString, max: CONNECTIONS });
  return {
    change: async (table, first, count) => {
      const text = `update ${table} set n = n + 1 where id >= $1 and id < $2`;
      await pool.query({ name: table, text, values: [first, first + count] });
    },
    left: async () => Number((await pool.query<{ n: string }>(LEFT)).rows[0]?.n),
    close: () => pool.end(),
  };
}

function openMysql(uri: string): Writers {
  const pool = createPool({ uri, connectionLimit: CONNECTIONS });
  return {
    change: async (table, first, count) => {
      await pool.execute(`update ${table} set n = n + 1 where id >= ? and id < ?`, [
        first,
        first + count,
      ]);
    },
    left: async () => {
      const [rows] = await pool.query(LEFT);
      return Number((rows as { n: number }[])[0]?.n);
    },
    close: () => pool.end(),
  };
}

/**
 * How many rows a second the writers change, each without a pause and in a part of the table of its own.
 * @param rows in each statement
 */
export async function rate(
  writers: Writers,
  table: Table,
  { rows, seconds, callers }: { rows: number; seconds: number; callers: number },
): Promise<number> {
  const part = Math.floor(ROW_COUNT / callers);
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let at = 0; performance.now() < endMs; at = (at + rows) % Math.max(1, part - rows + 1)) {
        await writers.change(table, caller * part + at, rows);
        done += rows;
      }
    }),
  );
  return (done * 1_000) / (performance.now() - startMs);
}
