/** One coordinator of each version, each with servers of its own that nothing else uses. */
import { createConnection } from 'mysql2/promise';
import { type Instance, startInstance } from '../../e2e/support/instance.ts';
import { startMysql } from '../../server/src/testing/mysql.ts';
import { mysqlNumbers } from '../../server/src/testing/mysql-numbers.ts';

export const KEY_COUNT = 10_000;

export interface RunningVersion {
  instance: Instance;
  stop(): Promise<void>;
}

const POLICIES = ['strict', 'delete-after-write'] as const;
const tableOf = (policy: string): string => `versions_${policy.replaceAll('-', '_')}`;

const CONFIG = {
  cache: { mode: 'embedded' },
  // Callers wait for a lock for as long as it takes.
  locks: { mode: 'embedded', ttl: '8s', waitTimeout: '30s' },
  resources: Object.fromEntries(
    POLICIES.map((policy) => [
      policy,
      {
        table: tableOf(policy),
        key: ['id'],
        columns: ['id', 'owner', 'value', 'updated_at'],
        cacheKey: `${tableOf(policy)}:{id}`,
        policy,
        ttl: '1h',
      },
    ]),
  ),
};

/** Starts the coordinator of the checkout in `folder`; of this one where there is none. */
export async function startVersion(
  folder: string | undefined,
  onMysql: boolean,
): Promise<RunningVersion> {
  const checkout = folder === undefined ? {} : { checkout: folder };
  if (!onMysql) {
    const database = { mode: 'embedded', initSql: './tables.sql' };
    const files = { 'tables.sql': POLICIES.map(pgTable).join('') };
    const instance = await startInstance({ ...checkout, config: { ...CONFIG, database }, files });
    return { instance, stop: () => instance.dispose() };
  }
  const server = await startMysql();
  try {
    const database = { client: 'mysql2', connection: await fillMysql(server.url) };
    const instance = await startInstance({ ...checkout, config: { ...CONFIG, database } });
    const stop = async (): Promise<void> => {
      await instance.dispose();
      await server.stop();
    };
    return { instance, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function fillMysql(serverUrl: string): Promise<string> {
  const connection = await createConnection({ uri: serverUrl, multipleStatements: true });
  try {
    await connection.query(`create database shop; use shop; ${POLICIES.map(mysqlTable).join('')}`);
  } finally {
    await connection.end();
  }
  const url = new URL(serverUrl);
  url.pathname = '/shop';
  return url.href;
}

const pgTable = (policy: string): string => `
create table ${tableOf(policy)} (
  id bigint primary key,
  owner text not null,
  value bigint not null default 0,
  updated_at timestamptz not null default now()
);
insert into ${tableOf(policy)} (id, owner) select id, 'owner ' || id from generate_series(1, ${KEY_COUNT}) as id;
`;

const mysqlTable = (policy: string): string => `
create table ${tableOf(policy)} (
  id bigint primary key,
  owner varchar(40) not null,
  value bigint not null default 0,
  updated_at timestamp(6) not null default current_timestamp(6)
);
insert into ${tableOf(policy)} (id, owner) select n, concat('owner ', n) from ${mysqlNumbers(KEY_COUNT)};
`;
