import { type DatabaseClient, mysqlNumbers } from '@lockstep/testkit/servers';

/** How many rows each table has. The uniform rows of the benchmark use all of them. */
export const KEY_COUNT = 10_000;

/** One table for each contender, so that none inherits another's dead rows. All have the same columns. */
export const TABLES = [
  'bench_bare',
  'bench_redlock',
  'bench_redis_semaphore',
  'bench_bentocache',
  'bench_cacheable',
  'bench_delete_after_write',
  'bench_strict',
  'bench_strict_verified',
] as const;
export type Table = (typeof TABLES)[number];

/** SQL that creates and fills the tables on PostgreSQL. */
export const TABLES_SQL = TABLES.map(
  (table) => `
CREATE TABLE ${table} (
  id bigint PRIMARY KEY,
  owner text NOT NULL,
  value bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO ${table} (id, owner) SELECT id, 'owner ' || id FROM generate_series(1, ${KEY_COUNT}) AS id;
`,
).join('');

/** The same on MySQL and MariaDB. */
export const MYSQL_TABLES_SQL = TABLES.map(
  (table) => `
CREATE TABLE ${table} (
  id bigint PRIMARY KEY,
  owner varchar(40) NOT NULL,
  value bigint NOT NULL DEFAULT 0,
  updated_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
);
INSERT INTO ${table} (id, owner) SELECT n, concat('owner ', n) FROM ${mysqlNumbers(KEY_COUNT)};
`,
).join('');

/** The only statement of the work: it changes one column of one row. Its parameters: the value, the id. */
export const updateStatement = (table: Table, client: DatabaseClient): string =>
  client === 'pg'
    ? `UPDATE ${table} SET value = $1 WHERE id = $2`
    : `UPDATE ${table} SET value = ? WHERE id = ?`;
