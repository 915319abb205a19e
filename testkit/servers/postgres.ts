import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { launchAs, postgresAccount, type Launch } from '../../server/src/embedded/account.ts';
import { findPostgresBinaries } from '../../server/src/embedded/postgres-binaries.ts';
import { startTestServer, type TestServer } from './test-server.ts';

export interface TestPostgresOptions {
  args?: readonly string[];
  /** Makes the data folder, instead of `initdb`. */
  prepare?: (data: string) => Promise<void>;
}

/** Starts a real PostgreSQL on a free loopback port; `url` is a superuser's, on the database `postgres`. */
export function startPostgres(options: TestPostgresOptions = {}): Promise<TestServer> {
  const { initdb, postgres } = findPostgresBinaries();
  const account = postgresAccount('/nonexistent');
  const url = (port: number): string => `postgres://lockstep@127.0.0.1:${port}/postgres`;
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    full_page_writes: 'off',
    shared_buffers: '32MB',
    max_connections: '200',
    max_wal_size: '256MB',
    wal_level: 'logical',
    dynamic_shared_memory_type: 'mmap',
  };
  return startTestServer({
    name: 'postgres',
    account,
    stopSignal: 'SIGQUIT',
    prepare: (folder) => {
      const data = join(folder, 'data');
      if (options.prepare !== undefined) return options.prepare(data);
      const flags = ['--no-sync', '--auth=trust', '--username=lockstep', '--encoding=UTF8'];
      const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
      const args = ['--pgdata', data, ...flags, ...locale];
      return run(launchAs(account, initdb, args, [initdb, data]));
    },
    launch: (folder, port) => {
      const data = join(folder, 'data');
      const flags = Object.entries({ ...settings, port }).flatMap(([name, value]) => [
        '-c',
        `${name}=${value}`,
      ]);
      return launchAs(
        account,
        postgres,
        ['-D', data, ...flags, ...(options.args ?? [])],
        [postgres, data],
      );
    },
    url,
    ping: (port) => ping(url(port)),
  });
}

async function ping(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined); // the failed query below tells
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end();
  }
}

async function run({ command, args, ...identity }: Launch): Promise<void> {
  const child = spawn(command, args, {
    ...identity,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [errors] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error(`${command} failed: ${errors}`);
}
