/** How many rows each table has. The uniform rows of the benchmark use all of them. */
export const KEY_COUNT = 10_000;

/** One table for each contender, so that none inherits another's dead rows. All have the same columns. */
export const TABLES = [
  'bench_bare',
  'bench_redlock',
  'bench_delete_after_write',
  'bench_strict',
  'bench_strict_verified',
] as const;
export type Table = (typeof TABLES)[number];

/** SQL that creates and fills the tables. */
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

/** The only statement of the work: it changes one column of one row. */
export const updateStatement = (table: Table): string =>
  `UPDATE ${table} SET value = $1 WHERE id = $2`;
