/** Programs that change a table in their own transactions and call `lockstep_invalidate` in them. */
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import type { Database } from '../changelog/database.ts';

const CONNECTIONS = 16;

/** A change and its invalidation, committed together. Many changes at once are not needed here. */
export type Callers = Pick<Database, 'changeOne' | 'close'>;

export const openCallers = (url: string): Callers =>
  url.startsWith('postgres') ? openPg(url) : openMysql(url);

/** What a transaction does beside its change. */
export const BESIDE = {
  nothing: '',
  call: "select lockstep_invalidate('item', $1::text)",
  'call and NOTIFY':
    "select lockstep_invalidate('item', $1::text), pg_notify('lockstep_invalidations', '')",
} as const;
export type Beside = keyof typeof BESIDE;

/** @param beside PostgreSQL: what each transaction does beside its change */
export function openPg(connectionString: string, beside: Beside = 'call'): Callers {
  const pool = new pg.Pool({ connectionString, max: CONNECTIONS });
  return {
    changeOne: async (id) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query({
          name: 'change',
          text: 'update items set n = n + 1 where id = $1',
          values: [id],
        });
        if (BESIDE[beside] !== '')
          await client.query({ name: 'beside', text: BESIDE[beside], values: [id] });
        await client.query('commit');
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
}

function openMysql(uri: string): Callers {
  const pool = createPool({ uri, connectionLimit: CONNECTIONS });
  return {
    changeOne: async (id) => {
      const connection = await pool.getConnection();
      try {
        await connection.query('begin');
        await connection.query('update items set n = n + 1 where id = ?', [id]);
        await connection.query("call lockstep_invalidate('item', json_array(?))", [id]);
        await connection.query('commit');
      } finally {
        connection.release();
      }
    },
    close: () => pool.end(),
  };
}

/** How many transactions a second as many callers as there are connections can make. */
export async function throughput(url: string, beside: Beside, seconds: number): Promise<number> {
  const callers = openPg(url, beside);
  try {
    const startMs = performance.now();
    const endMs = startMs + seconds * 1_000;
    let done = 0;
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, caller) => {
        for (let at = 0; performance.now() < endMs; at += 1, done += 1)
          await callers.changeOne(caller * 1_000 + (at % 1_000));
      }),
    );
    return (done * 1_000) / (performance.now() - startMs);
  } finally {
    await callers.close();
  }
}
