import {
  bindResources,
  type ResourceConfig,
} from '../../server/src/database/configuration/bind-resources.ts';
import type { Resource } from '../../server/src/domain/index.ts';
import { knowTables } from '../../server/src/database/configuration/names.ts';
import type { TestDatabase } from './open-test-database.ts';

const ACCOUNTS = {
  pg: `create table accounts (
    id integer primary key,
    owner varchar(20) not null constraint one_account_each unique,
    balance bigint default 10,
    rate numeric(10, 2),
    score double precision,
    small smallint,
    note text,
    active boolean not null default true,
    seen timestamptz,
    born date,
    doc jsonb,
    raw bytea,
    twice bigint generated always as (balance * 2) stored,
    hidden text default 'kept',
    constraint balance_not_low check (balance >= -1000)
  )`,
  mysql2: `create table accounts (
    id integer primary key,
    owner varchar(20) not null,
    balance bigint default 10,
    rate numeric(10, 2),
    score double precision,
    small smallint,
    note text,
    active boolean not null default true,
    seen datetime(6),
    born date,
    doc json,
    raw varbinary(100),
    twice bigint generated always as (balance * 2) stored,
    hidden varchar(20) default 'kept',
    constraint one_account_each unique (owner),
    constraint balance_not_low check (balance >= -1000)
  )`,
};

const NOTES = {
  pg: 'create table notes (shelf text, place bigint, body text, primary key (shelf, place))',
  mysql2:
    'create table notes (shelf varchar(190), place bigint, body text, primary key (shelf, place)) collate utf8mb4_bin',
};

export function config(rest: Partial<ResourceConfig> = {}): ResourceConfig {
  return {
    name: 'account',
    table: 'accounts',
    key: ['id'],
    cacheKey: 'account:{id}',
    policy: 'strict',
    ttlMs: 60_000,
    ttlJitter: 0,
    negativeTtlMs: 1_000,
    onWrite: 'set',
    invalidates: [],
    audit: null,
    ...rest,
  };
}

/** The columns of `accounts` that are configured: all but `hidden`. */
export const ACCOUNT_COLUMNS =
  'id owner balance rate score small note active seen born doc raw twice'.split(' ');

export interface TestResources {
  account: Resource;
  /** The same table, with a related cache key. */
  owned: Resource;
  note: Resource;
}

export async function createTables(database: TestDatabase): Promise<TestResources> {
  await database.execute(ACCOUNTS[database.client]);
  await database.execute(NOTES[database.client]);
  const bind = async (...configs: ResourceConfig[]): Promise<Resource[]> => {
    const { resources, faults } = await bindResources(configs, database.catalog);
    if (faults.length > 0) throw new Error(JSON.stringify(faults));
    return knowTables(database.sql, resources);
  };
  const [account, note] = await bind(
    config({ columns: ACCOUNT_COLUMNS }),
    config({
      name: 'note',
      table: 'notes',
      key: ['shelf', 'place'],
      cacheKey: 'note:{shelf}:{place}',
    }),
  );
  // Apart from the one above, with which it would share its rows.
  const [owned] = await bind(
    config({
      name: 'owned',
      cacheKey: 'owned:{id}',
      columns: ['id', 'owner', 'balance'],
      invalidates: ['owner:{owner}:accounts'],
    }),
  );
  if (!account || !owned || !note) throw new Error('resources are missing');
  return { account, owned, note };
}
