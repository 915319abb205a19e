import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { findAccount, type Account } from '../../server/src/embedded/account.ts';
import { findProgram } from '../../server/src/embedded/installed-program.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** What sets the servers of the client `mysql2` apart. */
interface Flavor {
  product: 'MariaDB' | 'MySQL';
  command: string;
  /** Fills the folder `datadir`. */
  initialize: { command: string; args: readonly string[] };
  flags: readonly string[];
  replication: {
    follow: (primaryPort: number) => string[];
    pauseReplay: string;
    resumeReplay: string;
    /** Throws the whole binlog away. */
    forgetLog: string;
  };
}

/** Whether the server that the client `mysql2` is tested on is here; where not, its tests are skipped, loudly. */
export function isMysqlInstalled(): boolean {
  return findFlavor() !== undefined;
}

/**
 * Starts what the client `mysql2` is tested on, on a free loopback port: the MySQL whose `mysqld` is named by
 * LOCKSTEP_TEST_MYSQLD, otherwise the MariaDB that is installed. `url` is root's, without a password.
 */
export function startMysql(options: { args?: readonly string[] } = {}): Promise<TestServer> {
  const { product, command, initialize, flags } = flavor();
  const account = mysqlAccount();
  const url = (port: number): string => `mysql://root@127.0.0.1:${port}/mysql`;
  return startTestServer({
    name: product.toLowerCase(),
    account,
    stopSignal: 'SIGKILL',
    prepare: async (folder) => {
      const args = [
        ...['--no-defaults', ...initialize.args, '--innodb-flush-log-at-trx-commit=0'],
        `--datadir=${join(folder, 'data')}`,
        // A server that starts removes the temporary tables of others from a folder that they share.
        `--tmpdir=${folder}`,
        ...asUser(account),
      ];
      await promisify(execFile)(initialize.command, args);
    },
    launch: (folder, port) => ({
      command,
      args: [...serverFlags(folder, port), ...flags, ...asUser(account), ...(options.args ?? [])],
    }),
    url,
    ping: async (port) => {
      const connection = await createConnection({ uri: url(port), connectTimeout: 2_000 });
      await connection.query('select 1');
      await connection.end();
    },
  });
}

/** What `startMysql` starts. */
export function mysqlProduct(): Flavor['product'] {
  return flavor().product;
}

/** How a server of `startMysql` becomes a replica of another one that has kept its whole binlog. */
export function mysqlReplication(): Flavor['replication'] {
  return flavor().replication;
}

function flavor(): Flavor {
  const found = findFlavor();
  if (found === undefined) {
    throw new Error('MariaDB is not installed; run: npm test (or: apt-get install mariadb-server)');
  }
  return found;
}

function findFlavor(): Flavor | undefined {
  const mysqld = process.env.LOCKSTEP_TEST_MYSQLD;
  if (mysqld !== undefined) return mysqlFlavor(mysqld);
  const mariadbd = findProgram(['mariadbd']);
  return mariadbd && mariaDbFlavor(mariadbd.command);
}

function mariaDbFlavor(command: string): Flavor {
  return {
    product: 'MariaDB',
    command,
    initialize: {
      command: 'mariadb-install-db',
      args: [
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--innodb-log-file-size=8M',
      ],
    },
    flags: ['--binlog-format=ROW', '--innodb-log-file-size=8M', '--skip-name-resolve'],
    replication: {
      follow: (port) => [
        `change master to master_host = '127.0.0.1', master_port = ${port}, master_user = 'root',
         master_use_gtid = slave_pos, master_connect_retry = 1`,
        'start slave',
      ],
      pauseReplay: 'stop slave sql_thread',
      resumeReplay: 'start slave sql_thread',
      forgetLog: 'reset master',
    },
  };
}

function mysqlFlavor(command: string): Flavor {
  return {
    product: 'MySQL',
    command,
    initialize: { command, args: ['--initialize-insecure'] },
    flags: [
      '--mysqlx=off',
      '--secure-file-priv=null',
      '--innodb-redo-log-capacity=16M',
      '--gtid-mode=on',
      '--enforce-gtid-consistency=on',
    ],
    replication: {
      follow: (port) => [
        `change replication source to source_host = '127.0.0.1', source_port = ${port},
         source_user = 'root', source_auto_position = 1, source_connect_retry = 1,
         get_source_public_key = 1`,
        'start replica',
      ],
      pauseReplay: 'stop replica sql_thread',
      resumeReplay: 'start replica sql_thread',
      forgetLog: 'reset binary logs and gtids',
    },
  };
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
    '--character-set-server=utf8mb4',
    '--max-connections=200',
    '--innodb-buffer-pool-size=64M',
    '--innodb-flush-log-at-trx-commit=2',
    '--server-id=1',
    '--log-bin=binlog',
    '--sync-binlog=0',
  ];
}

export function mysqlAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return findAccount('mysql') ?? findAccount('nobody');
}

function asUser(account: Account | undefined): string[] {
  return account === undefined ? [] : [`--user=${account.uid}`];
}
