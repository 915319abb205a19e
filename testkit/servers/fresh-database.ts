import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type {} from './global-setup.ts';
import { isMysqlInstalled } from './mysql.ts';

/** The two SQL drivers, as `database.client` names them. */
export type DatabaseClient = 'pg' | 'mysql2';

export interface FreshDatabase {
  /** An administrator's connection URL on the new, empty database. */
  url: string;
  /** Drops it, ending connections that are still open. */
  drop(): Promise<void>;
}

/**
 * Creates an empty, uniquely named database on the run's shared server of that kind. For test files of the vitest
 * projects that have `global-setup.ts`. A test that pauses or kills a server starts its own one instead.
 */
export async function freshDatabase(client: DatabaseClient): Promise<FreshDatabase> {
  // Vitest can be loaded only in a test run, and programs that run outside of one load this folder too.
  const { inject } = await import('vitest');
  const answer = await fetch(`${inject('lockstepTestDatabases')}/${client}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`No ${client} server for the tests: ${text}`);
  const name = `test_${randomBytes(6).toString('hex')}`;
  const execute = client === 'pg' ? executeOnPostgres : executeOnMysql;
  const collation = client === 'pg' ? '' : ' character set utf8mb4 collate utf8mb4_bin';
  await execute(text, `create database ${name}${collation}`);
  const url = new URL(text);
  url.pathname = `/${name}`;
  const force = client === 'pg' ? ' with (force)' : '';
  return { url: url.href, drop: () => execute(text, `drop database if exists ${name}${force}`) };
}

/**
 * The clients whose server is installed here, for `describe.each`. Says so on stderr where MariaDB is missing: a run
 * without it must not look complete.
 */
export function installedClients(): DatabaseClient[] {
  if (isMysqlInstalled()) return ['pg', 'mysql2'];
  process.stderr.write(
    '\nSKIPPED: MariaDB is not installed; its tests do not run (npm test installs it)\n\n',
  );
  return ['pg'];
}

async function executeOnPostgres(url: string, sql: string): Promise<void> {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

async function executeOnMysql(url: string, sql: string): Promise<void> {
  const connection = await createConnection(url);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}
