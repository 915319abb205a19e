import { createConnection, type Connection } from 'mysql2/promise';
import pg from 'pg';
import type { Client } from './schema-folder.ts';

export type SqlText = string | null;

/** A database as another program sees it: plain SQL, every value as the server's own text. */
export interface SideDatabase {
  readonly client: Client;
  query(sql: string, values?: readonly SqlText[]): Promise<SqlText[][]>;
  quote(name: string): string;
  close(): Promise<void>;
}

export async function openSideDatabase(client: Client, url: string): Promise<SideDatabase> {
  return client === 'pg' ? openPg(url) : openMysql(url);
}

async function openPg(url: string): Promise<SideDatabase> {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  await connection.query(
    `set extra_float_digits = 3; set timezone = 'UTC'; set datestyle = 'ISO, YMD'`,
  );
  const types = { getTypeParser: () => (value: string | Buffer) => String(value) };
  return {
    client: 'pg',
    query: async (text, values = []) => {
      const result = await connection.query<SqlText[]>({
        text,
        values: [...values],
        rowMode: 'array',
        types,
      });
      return result.rows;
    },
    quote: (name) => `"${name.replaceAll('"', '""')}"`,
    close: () => connection.end(),
  };
}

async function openMysql(url: string): Promise<SideDatabase> {
  const connection: Connection = await createConnection({
    uri: url,
    rowsAsArray: true,
    supportBigNumbers: true,
    typeCast: (field) => field.string('utf8'),
    timezone: 'Z',
  });
  await connection.query(`set time_zone = '+00:00'`);
  return {
    client: 'mysql2',
    query: async (sql, values = []) => {
      const [rows] = await connection.query({ sql, rowsAsArray: true }, [...values]);
      return Array.isArray(rows) ? (rows as SqlText[][]) : [];
    },
    quote: (name) => `\`${name.replaceAll('`', '``')}\``,
    close: () => connection.end(),
  };
}
