import pg from 'pg';
import { EmbeddedError } from './embedded-error.ts';
import isMarkedSql from './is-first-start-done.sql?raw';
import markSql from './mark-first-start-done.sql?raw';

/**
 * Creates the database, and on the data folder's first start runs the user's schema. Schema and marker are one
 * transaction, so a crash at any moment leaves both or neither.
 * @param initSql statements without transaction commands.
 * @returns whether this was the first start.
 * @throws EmbeddedError with PostgreSQL's message and the line, when the schema is refused.
 */
export async function prepareDatabase(
  url: string,
  initSql: string | undefined,
): Promise<{ firstStart: boolean }> {
  await createDatabase(url);
  return withClient(url, async (client) => {
    await client.query('begin');
    const { rows } = await client.query<{ done: boolean }>(isMarkedSql);
    const firstStart = rows[0]?.done !== true;
    if (firstStart) {
      await client.query(markSql);
      if (initSql !== undefined) await runInitSql(client, initSql);
    }
    await client.query('commit');
    return { firstStart };
  });
}

async function runInitSql(client: pg.Client, initSql: string): Promise<void> {
  try {
    await client.query(initSql);
  } catch (cause) {
    const position = cause instanceof pg.DatabaseError ? Number(cause.position ?? 0) : 0;
    const line = position > 0 ? ` (line ${initSql.slice(0, position).split('\n').length})` : '';
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new EmbeddedError(`database.initSql was refused${line}: ${words}`, { cause });
  }
}

async function createDatabase(url: string): Promise<void> {
  const { pathname } = new URL(url);
  const name = decodeURIComponent(pathname.slice(1));
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  await withClient(maintenance.href, async (client) => {
    const found = await client.query('select from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`);
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // a cut connection also fails the query in flight
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
