import { chmodSync, chownSync, cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { postgresAccount } from '../../server/src/embedded/account.ts';
import { mysqlReplication, startMysql } from './mysql.ts';
import { startPostgres } from './postgres.ts';
import type { TestServer } from './test-server.ts';

/** A real replica under test control. Its data is its own; `stop` it before its primary. */
export interface TestReplica {
  readonly server: TestServer;
  /** What the primary commits from now on is received, and readers of the replica do not see it. */
  pauseReplay(): Promise<void>;
  resumeReplay(): Promise<void>;
}

/** What is copied: `url` is a superuser's. */
type Primary = Pick<TestServer, 'url'>;

/**
 * A hot standby of a PostgreSQL on this machine: a copy of its data folder that streams from it. The primary keeps a
 * physical slot for it, also when it has stopped.
 * @param options.copiesSlots it copies the primary's failover slots (PostgreSQL 17 or newer)
 */
export async function startStandby(
  primary: Primary,
  { copiesSlots = false }: { copiesSlots?: boolean } = {},
): Promise<TestReplica> {
  const server = await startPostgres({ prepare: (data) => copyOf(primary, data, copiesSlots) });
  const run = async (statement: string): Promise<void> => {
    await onPostgres(server.url, (client) => client.query(statement));
  };
  return {
    server,
    pauseReplay: async () => {
      await run('select pg_wal_replay_pause()');
      await onPostgres(server.url, untilPaused);
    },
    resumeReplay: () => run('select pg_wal_replay_resume()'),
  };
}

/** A replica of a server of `startMysql` that has kept its whole binlog. */
export async function startMysqlReplica(primary: TestServer): Promise<TestReplica> {
  const server = await startMysql({ args: ['--server-id=2', '--read-only=on'] });
  const { follow, pauseReplay, resumeReplay } = mysqlReplication();
  const run = (...statements: string[]): Promise<void> => onMysql(server.url, statements);
  await run(...follow(primary.port));
  return {
    server,
    pauseReplay: () => run(pauseReplay),
    resumeReplay: () => run(resumeReplay),
  };
}

/** Takes a base backup by hand: the binaries at hand have no pg_basebackup. */
async function copyOf(primary: Primary, data: string, copiesSlots: boolean): Promise<void> {
  const account = postgresAccount('/nonexistent');
  await onPostgres(primary.url, async (client) => {
    const slot = `standby_${basename(join(data, '..')).replaceAll(/\W/g, '_').toLowerCase()}`;
    await client.query('select pg_create_physical_replication_slot($1, true)', [slot]);
    await client.query("select pg_backup_start('standby', true)");
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    cpSync(rows[0]?.data_directory ?? '', data, { recursive: true, filter: isCopied });
    const stopped = await client.query<{ labelfile: string }>(
      'select labelfile from pg_backup_stop(false)',
    );
    const { port, username, password } = new URL(primary.url);
    const secret = password === '' ? '' : ` password=${password}`;
    const conninfo = `host=127.0.0.1 port=${port} user=${username}${secret} dbname=postgres`;
    writeFileSync(join(data, 'backup_label'), stopped.rows[0]?.labelfile ?? '');
    writeFileSync(join(data, 'standby.signal'), '');
    // Whatever its primary asks of who connects, a server of a test asks nothing.
    writeFileSync(join(data, 'pg_hba.conf'), 'host all all 127.0.0.1/32 trust\n');
    const settings = [
      `primary_conninfo = '${conninfo}'`,
      `primary_slot_name = '${slot}'`,
      // The standby looks for its primary again soon where that was killed.
      `wal_retrieve_retry_interval = '200ms'`,
      ...(copiesSlots ? ['sync_replication_slots = on', 'hot_standby_feedback = on'] : []),
    ];
    writeFileSync(join(data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
  });
  chmodSync(data, 0o700);
  if (account !== undefined) own(data, account);
}

/** What belongs to the running primary alone; files that go while they are copied are such ones too. */
const isCopied = (path: string): boolean =>
  existsSync(path) && !/\/(postmaster\.(pid|opts)|pg_replslot\/.+|pgsql_tmp.*)$/.test(path);

function own(path: string, account: { uid: number; gid: number }): void {
  chownSync(path, account.uid, account.gid);
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    chownSync(join(entry.parentPath, entry.name), account.uid, account.gid);
  }
}

async function untilPaused(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ state: string }>(
      'select pg_get_wal_replay_pause_state() as state, pg_sleep(0.01)',
    );
    if (rows[0]?.state === 'paused') return;
  }
}

async function onPostgres<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function onMysql(url: string, statements: readonly string[]): Promise<void> {
  const connection = await createConnection(url);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}
