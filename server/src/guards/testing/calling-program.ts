import { createConnection } from 'mysql2/promise';
import pg from 'pg';

/** A service with a connection of its own, which uses a plain driver and knows nothing of Lockstep's tables. */
export interface CallingProgram {
  run(sql: string): Promise<Record<string, unknown>[]>;
  /** Calls `lockstep_guard` as the guide shows it for the database. */
  guard(resource: string | null, fence: number | null, ...parts: (string | null)[]): Promise<void>;
  /** Ends the connection without a word. */
  cut(): void;
  close(): Promise<void>;
}

export function connectProgram(url: string): Promise<CallingProgram> {
  return url.startsWith('mysql') ? connectMysql(url) : connectPg(url);
}

async function connectPg(connectionString: string): Promise<CallingProgram> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  return {
    run: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    guard: async (resource, fence, ...parts) => {
      const places = ['$1', '$2', ...parts.map((_, at) => `$${at + 3}`)].join(', ');
      await client.query(`select lockstep_guard(${places})`, [resource, fence, ...parts]);
    },
    cut: () => client.connection.stream.destroy(),
    close: () => client.end(),
  };
}

async function connectMysql(uri: string): Promise<CallingProgram> {
  // A program's session may have any time zone.
  const connection = await createConnection({ uri, supportBigNumbers: true });
  connection.on('error', () => undefined);
  await connection.query(`set time_zone = '+05:30'`);
  return {
    run: async (sql) => {
      const [rows] = await connection.query(sql);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    },
    guard: async (resource, fence, ...parts) => {
      const places = parts.map(() => '?').join(', ');
      await connection.query(`call lockstep_guard(?, ?, json_array(${places}))`, [
        resource,
        fence,
        ...parts,
      ]);
    },
    cut: () => connection.destroy(),
    close: () => connection.end(),
  };
}
