import pg from 'pg';
import { KEY_COUNT } from './load.ts';

/** Creates a table with a row for each key. `n` counts the row's writes, `counter` those of them that read first. */
export async function makeTable(databaseUrl: string, table: string): Promise<void> {
  await withDatabase(databaseUrl, (client) =>
    client.query(`
      CREATE TABLE ${table} (
        id bigint PRIMARY KEY,
        owner text NOT NULL,
        value bigint NOT NULL DEFAULT 0,
        n integer NOT NULL DEFAULT 0,
        counter integer NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL DEFAULT now()
      );
      INSERT INTO ${table} (id, owner)
        SELECT id, 'owner ' || id FROM generate_series(1, ${KEY_COUNT}) AS id;
      ANALYZE ${table};
    `),
  );
}

export interface StoredRow {
  id: number;
  n: number;
  counter: number;
}

export async function readTable(databaseUrl: string, table: string): Promise<StoredRow[]> {
  const { rows } = await withDatabase(databaseUrl, (client) =>
    client.query<StoredRow>(`SELECT id::integer, n, counter FROM ${table} ORDER BY id`),
  );
  return rows;
}

/** Creates a separate database for the benchmark on this server. @returns its URL */
export async function makeDatabase(serverUrl: string, name: string): Promise<string> {
  await withDatabase(serverUrl, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export async function withDatabase<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
