import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import type { Clock, Timers } from '../runtime/index.ts';
import { launchAs, postgresAccount, type Launch } from './account.ts';
import { readIfThere, syncFolder } from './atomic-file.ts';
import { EmbeddedError } from './embedded-error.ts';
import { endLeftovers, type Ownership } from './leftovers.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { identityOf } from './processes.ts';
import type { ServerSpec } from './supervised-server.ts';

/** The role that owns everything; the coordinator's own. */
export const POSTGRES_USER = 'lockstep';

/** Where the embedded PostgreSQL runs, and its password. */
export interface PostgresPlace {
  dataDir: string;
  port: number;
  password: string;
}

const RESTART_DELAY_MS = 3_000;
const INVALID_PASSWORD = '28P01';

/** Sized for a small machine; durable: an acknowledged commit survives a crash of the machine. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '128MB',
  max_connections: '100',
  max_wal_size: '512MB',
  // The change log subscriber reads the write-ahead log; changing this later would need a restart.
  wal_level: 'logical',
  max_replication_slots: '10',
  // A slot that is no longer read must not fill the disk. If it loses its log, the change log begins anew, with a
  // sweep.
  max_slot_wal_keep_size: '2GB',
  // Keeps shared memory in the data folder, so that what a killed server left is found again.
  dynamic_shared_memory_type: 'mmap',
  // The errors of statements go to their callers; the log is for the server's own state.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
};

/** The embedded PostgreSQL; its folder must have been made by `initialisePostgres`. */
export function postgresServer({ dataDir, port, password }: PostgresPlace): ServerSpec {
  const { postgres } = findPostgresBinaries();
  const folder = postgresFolder(dataDir);
  const account = postgresAccount(folder);
  const settings = { ...SETTINGS, port, cluster_name: clusterName(dataDir) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return {
    name: 'postgres',
    port,
    folder,
    logPath: join(dataDir, 'logs', 'postgres.log'),
    ownership: postgresOwnership(dataDir),
    stopSignal: 'SIGINT', // fast shutdown: ends sessions, writes a checkpoint
    restartDelayMs: RESTART_DELAY_MS,
    prepare: () => removeStalePidFile(folder),
    launch: () => launchAs(account, postgres, ['-D', folder, ...flags], [postgres, folder]),
    ping: () => ping(port, password),
  };
}

/** How to recognize this data folder's PostgreSQL. */
export function postgresOwnership(dataDir: string): Ownership {
  const folder = postgresFolder(dataDir);
  const title = `postgres: ${clusterName(dataDir)}: `;
  return {
    isServer: ({ programs, commandLine }) =>
      programs.includes('postgres') && `${commandLine} `.includes(` -D ${folder} `),
    isChild: ({ commandLine }) => commandLine.startsWith(title),
  };
}

/**
 * Creates the data folder at the first start. It gets its final name only when it is complete; what an interrupted
 * attempt left is removed.
 * @param options.knownPassword false if the password is new: it is then set in an existing folder.
 */
export async function initialisePostgres(
  { dataDir, password }: Omit<PostgresPlace, 'port'>,
  options: { knownPassword: boolean },
  parts: { clock: Clock; timers: Timers },
): Promise<void> {
  const folder = postgresFolder(dataDir);
  await removeAttempts(dataDir, parts);
  const binaries = findPostgresBinaries();
  if (existsSync(folder)) {
    if (options.knownPassword) return;
    await endLeftovers(postgresOwnership(dataDir), 'SIGINT', 2_500, parts);
    await removeStalePidFile(folder);
    await setPassword(binaries.postgres, folder, password);
    return;
  }
  const account = postgresAccount(folder);
  const attempt = `${folder}.init-${randomBytes(6).toString('hex')}`;
  const passwordPath = `${attempt}.password`;
  await mkdir(attempt, { mode: 0o700 });
  await writeFile(passwordPath, `${password}\n`, { mode: 0o600 });
  if (account) {
    await chown(attempt, account.uid, account.gid);
    await chown(passwordPath, account.uid, account.gid);
  }
  const args = initdbFlags(attempt, passwordPath);
  await run(launchAs(account, binaries.initdb, args, [binaries.initdb, attempt]));
  await rm(passwordPath);
  await rename(attempt, folder);
  await syncFolder(dataDir);
}

function initdbFlags(folder: string, passwordPath: string): string[] {
  return [
    '--pgdata',
    folder,
    `--username=${POSTGRES_USER}`,
    `--pwfile=${passwordPath}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The same sort order and encoding on every machine, whatever locales it has.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ];
}

async function removeAttempts(
  dataDir: string,
  parts: { clock: Clock; timers: Timers },
): Promise<void> {
  const prefix = `${postgresFolder(dataDir)}.init-`;
  const initdb: Ownership = {
    isServer: ({ programs, commandLine }) =>
      programs.includes('initdb') && commandLine.includes(` --pgdata ${prefix}`),
    isChild: () => false,
  };
  await endLeftovers(initdb, 'SIGKILL', 0, parts);
  for (const name of await readdir(dataDir)) {
    const path = join(dataDir, name);
    // A child process of initdb may still write a file until it notices the end of its input.
    if (path.startsWith(prefix)) {
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  }
}

/**
 * Removes a stale `postmaster.pid`. PostgreSQL refuses to start while any process has the id in it, even if that is
 * another program by now. The caller has made sure that no server of this folder lives.
 */
async function removeStalePidFile(folder: string): Promise<void> {
  const path = join(folder, 'postmaster.pid');
  const content = await readIfThere(path);
  if (content === undefined) return;
  const pid = Number.parseInt(content, 10);
  if (!(pid > 0) || isTaken(pid)) await rm(path, { force: true });
}

/** Whether a process has this id. Zombies count, because PostgreSQL cannot distinguish them from live processes. */
function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return identityOf(pid) !== undefined;
  }
}

/** Sets the password in single-user mode, which asks for none. */
async function setPassword(postgres: string, folder: string, password: string): Promise<void> {
  const args = ['--single', '-D', folder, 'postgres'];
  const launch = launchAs(postgresAccount(folder), postgres, args, [postgres, folder]);
  await run(launch, `alter role ${POSTGRES_USER} password '${password}';\n`);
}

async function run({ command, args, ...identity }: Launch, input = ''): Promise<void> {
  const child = spawn(command, args, {
    ...identity,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  child.stdin.on('error', () => undefined); // its exit code and output say more
  child.stdin.end(input);
  const [errors] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  if (child.exitCode !== 0) {
    const words = errors
      .trim()
      .slice(-2_000)
      .replace(/\s*\n\s*/g, ' | ');
    throw new EmbeddedError(`${basename(command)} failed: ${words}`);
  }
}

async function ping(port: number, password: string): Promise<void> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: POSTGRES_USER,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => undefined); // a cut connection also fails the query below
  try {
    await client.connect();
    await client.query('select 1');
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === INVALID_PASSWORD) {
      throw new EmbeddedError('postgres does not take the password in servers.json', {
        cause: error,
      });
    }
    throw error;
  } finally {
    await client.end();
  }
}

function postgresFolder(dataDir: string): string {
  return join(dataDir, 'postgres');
}

/** Part of the title of each of its processes; the same for the same data folder. */
function clusterName(dataDir: string): string {
  return `lockstep-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
}
