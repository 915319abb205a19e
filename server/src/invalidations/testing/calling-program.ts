import { createConnection } from 'mysql2/promise';
import pg from 'pg';

/** Another program with a connection of its own, which uses a plain driver and knows nothing of Lockstep. */
export interface CallingProgram {
  run(sql: string): Promise<Record<string, unknown>[]>;
  /** Calls `lockstep_invalidate` as the guide shows it for the database. */
  invalidate(resource: string | null, ...parts: (string | null)[]): Promise<void>;
  close(): Promise<void>;
}

export function connectProgram(url: string): Promise<CallingProgram> {
  return url.startsWith('mysql') ? connectMysql(url) : connectPg(url);
}

async function connectPg(connectionString: string): Promise<CallingProgram> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return {
    run: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    invalidate: async (resource, ...parts) => {
      const places = ['$1', ...parts.map((_, at) => `$${at + 2}`)].join(', ');
      await client.query(`select lockstep_invalidate(${places})`, [resource, ...parts]);
    },
    close: () => client.end(),
  };
}

async function connectMysql(uri: string): Promise<CallingProgram> {
  // A program's session may have any time zone.
  const connection = await createConnection({ uri, supportBigNumbers: true });
  await connection.query(`set time_zone = '+05:30'`);
  return {
    run: async (sql) => {
      const [rows] = await connection.query(sql);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    },
    invalidate: async (resource, ...parts) => {
      const places = parts.map(() => '?').join(', ');
      await connection.query(`call lockstep_invalidate(?, json_array(${places}))`, [
        resource,
        ...parts,
      ]);
    },
    close: () => connection.end(),
  };
}
