import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { findAccount, type Account } from '../embedded/account.ts';
import { findProgram } from '../embedded/installed-program.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** Whether MariaDB is installed here; tests of it are skipped, loudly, where it is not. */
export function isMariaDbInstalled(): boolean {
  return findProgram(['mariadbd']) !== undefined;
}

/** Starts a real MariaDB on a free loopback port; `url` is root's, without a password. */
export function startMariaDb(options: { args?: readonly string[] } = {}): Promise<TestServer> {
  const server = findProgram(['mariadbd']);
  if (server === undefined) {
    throw new Error('MariaDB is not installed; run: npm test (or: apt-get install mariadb-server)');
  }
  const account = mariaDbAccount();
  const url = (port: number): string => `mysql://root@127.0.0.1:${port}/mysql`;
  return startTestServer({
    name: 'mariadb',
    account,
    stopSignal: 'SIGKILL',
    prepare: async (folder) => {
      const flags = ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db'];
      const small = ['--innodb-log-file-size=8M', '--innodb-flush-log-at-trx-commit=0'];
      const datadir = `--datadir=${join(folder, 'data')}`;
      await promisify(execFile)('mariadb-install-db', [
        ...flags,
        ...small,
        datadir,
        ...asUser(account),
      ]);
    },
    launch: (folder, port) => ({
      command: server.command,
      args: [...serverFlags(folder, port), ...asUser(account), ...(options.args ?? [])],
    }),
    url,
    ping: async (port) => {
      const connection = await createConnection({ uri: url(port), connectTimeout: 2_000 });
      await connection.query('select 1');
      await connection.end();
    },
  });
}

function serverFlags(folder: string, port: number): string[] {
  return [
    '--no-defaults',
    `--datadir=${join(folder, 'data')}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    `--tmpdir=${folder}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-networking=off',
    '--skip-name-resolve',
    '--character-set-server=utf8mb4',
    '--max-connections=200',
    '--innodb-buffer-pool-size=64M',
    '--innodb-log-file-size=8M',
    '--innodb-flush-log-at-trx-commit=2',
    '--server-id=1',
    '--log-bin=binlog',
    '--binlog-format=ROW',
    '--sync-binlog=0',
  ];
}

function mariaDbAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return findAccount('mysql') ?? findAccount('nobody');
}

function asUser(account: Account | undefined): string[] {
  return account === undefined ? [] : [`--user=${account.uid}`];
}
