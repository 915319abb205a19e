import { join } from 'node:path';
import pg from 'pg';
import { postgresAccount } from '../../server/src/embedded/account.ts';
import { findProgram } from '../../server/src/embedded/installed-program.ts';
import { startTestServer, type TestServer } from './test-server.ts';

export interface TestPgBouncerOptions {
  /** Administrator's URL of the database that it leads to. */
  databaseUrl: string;
  poolMode: 'session' | 'transaction' | 'statement';
  /** Further lines of its configuration's section `[pgbouncer]`. */
  settings?: Readonly<Record<string, string | number>>;
}

/** Whether PgBouncer is here; where not, its tests are skipped, loudly. */
export function isPgBouncerInstalled(): boolean {
  if (findPgBouncer() !== undefined) return true;
  process.stderr.write(
    '\nSKIPPED: PgBouncer is not installed; its tests do not run (npm test installs it)\n\n',
  );
  return false;
}

/** Starts a real PgBouncer in front of one database, on a free loopback port. */
export function startPgBouncer(options: TestPgBouncerOptions): Promise<TestServer> {
  const database = new URL(options.databaseUrl);
  const account = postgresAccount('/nonexistent');
  const url = (port: number): string => {
    const through = new URL(database);
    through.port = String(port);
    return through.href;
  };
  return startTestServer({
    name: 'pgbouncer',
    account,
    stopSignal: 'SIGINT',
    launch: (folder, port) => {
      const file = join(folder, 'pgbouncer.ini');
      // Its port is known only now, and each start has another one.
      const args = [
        '-c',
        `printf %s "$1" > "$2" && exec "$3" "$2"`,
        'sh',
        ini(options, port),
        file,
      ];
      return { command: '/bin/sh', args: [...args, findPgBouncer() ?? 'pgbouncer'], ...account };
    },
    url,
    ping: async (port) => {
      const client = new pg.Client({ connectionString: url(port), connectionTimeoutMillis: 2_000 });
      client.on('error', () => undefined); // the query below tells
      try {
        await client.connect();
        await client.query('select 1');
      } finally {
        await client.end();
      }
    },
  });
}

function findPgBouncer(): string | undefined {
  return findProgram(['pgbouncer'])?.command;
}

function ini({ databaseUrl, poolMode, settings = {} }: TestPgBouncerOptions, port: number): string {
  const { hostname, port: databasePort, pathname, username } = new URL(databaseUrl);
  const name = pathname.slice(1);
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    auth_type: 'any',
    pool_mode: poolMode,
    unix_socket_dir: '',
    ...settings,
  };
  const target = `host=${hostname} port=${databasePort} dbname=${name} user=${username}`;
  const lines = Object.entries(all).map(([setting, value]) => `${setting} = ${value}`);
  return ['[databases]', `${name} = ${target}`, '[pgbouncer]', ...lines, ''].join('\n');
}
