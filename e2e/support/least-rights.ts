import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { runCli, runCliJson } from './cli.ts';
import type { ExternalServers } from './external-servers.ts';

/** As `lockstep grants --json` prints it. */
interface Grants {
  run: string[];
  changeLog: string[];
  cache: string[];
  locks: string[];
}

const ACCOUNT = 'shop_app';
const PASSWORD = 'app-password';

interface Named {
  database: { client: 'pg' | 'mysql2'; connection: string };
  cache: { url: string };
  locks: { nodes: string[] };
}

/**
 * The servers' configuration with accounts that have the rights which `lockstep grants` prints, and no more.
 * @param changes of the configuration, the resources among them
 */
export async function withLeastRights(
  servers: ExternalServers,
  changes: object = {},
): Promise<object> {
  const config = configOf(servers, changes);
  const { client, connection } = config.database;
  await withConfigFile(config, async (own) => {
    const { code, stderr } = await runCli(['migrate', 'up', ...own]);
    if (code !== 0) throw new Error(`lockstep migrate up: ${stderr}`);
  });
  const create =
    client === 'pg'
      ? `create role ${ACCOUNT} login password '${PASSWORD}'`
      : `create user '${ACCOUNT}'@'%' identified by '${PASSWORD}'`;
  await runSql(client, connection, [create]);
  await grantLeastRights(servers, changes);
  return {
    ...config,
    database: { ...config.database, connection: asAccount(connection) },
    cache: { url: asAccount(config.cache.url) },
    locks: { ...config.locks, nodes: config.locks.nodes.map(asAccount) },
  };
}

/** Gives the accounts what `lockstep grants` prints for the configuration with these changes, as an operator does before a reload. */
export async function grantLeastRights(servers: ExternalServers, changes: object): Promise<void> {
  const config = configOf(servers, changes);
  const { client, connection } = config.database;
  const grants = await withConfigFile(
    config,
    (own) => runCliJson(['grants', '--account', ACCOUNT, ...own]) as Promise<Grants>,
  );
  await runSql(client, connection, [...grants.run, ...grants.changeLog]);
  // A test invalidates keys that no resource has, which its administrator must then have allowed.
  await setUsers(config.cache.url, [...grants.cache, `acl setuser ${ACCOUNT} ~list:*`]);
  for (const node of config.locks.nodes) await setUsers(node, grants.locks);
}

const configOf = ({ config }: ExternalServers, changes: object): object & Named => {
  const all = config as typeof config & Named;
  return { ...all, ...changes };
};

/** @param work is given the flags that name the configuration and a data folder */
async function withConfigFile<T>(
  config: object,
  work: (flags: string[]) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-grants-'));
  try {
    const file = join(folder, 'admin.json');
    writeFileSync(file, JSON.stringify(config));
    return await work(['--config', file, '--data-dir', join(folder, 'data')]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Commands, keys and channels that the server has refused to the account. */
export async function refusedByRedis(url: string): Promise<string[]> {
  return onRedis(url, async (client) => {
    const log = (await client.call('acl', 'log')) as string[][];
    return log.map((entry) => entry.slice(0, 12).join(' '));
  });
}

function asAccount(url: string): string {
  const changed = new URL(url);
  [changed.username, changed.password] = [ACCOUNT, PASSWORD];
  return changed.href;
}

async function runSql(
  client: 'pg' | 'mysql2',
  url: string,
  statements: readonly string[],
): Promise<void> {
  if (client === 'pg') {
    const connection = new pg.Client({ connectionString: url });
    await connection.connect();
    for (const text of statements) await connection.query(text);
    return connection.end();
  }
  const connection = await createConnection(url);
  for (const text of statements) await connection.query(text);
  return connection.end();
}

const setUsers = (url: string, commands: readonly string[]): Promise<void> =>
  onRedis(url, async (client) => {
    for (const command of commands) {
      const [name = '', ...rest] = command.replace('PASSWORD', PASSWORD).split(' ');
      await client.call(name, ...rest);
    }
    await client.call('acl', 'log', 'reset');
  });

async function onRedis<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
