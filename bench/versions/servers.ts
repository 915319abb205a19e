/** One coordinator of each version, each with its own servers. */
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { mysqlNumbers } from '@lockstep/testkit/servers';
import { startMysqlShop } from '../mysql-shop.ts';

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

/**
 * Starts a coordinator with its own servers.
 * @param folder the checkout of the coordinator. Default: this one
 */
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
  const shop = await startMysqlShop(POLICIES.map(mysqlTable).join(''));
  try {
    const database = { client: 'mysql2', connection: shop.connection };
    const instance = await startInstance({ ...checkout, config: { ...CONFIG, database } });
    const stop = async (): Promise<void> => {
      await instance.dispose();
      await shop.stop();
    };
    return { instance, stop };
  } catch (error) {
    await shop.stop();
    throw error;
  }
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
