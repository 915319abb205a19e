import type { ResourceConfig } from '../configuration/bind-resources.ts';
import type { TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';

const TEXT = { pg: 'text', mysql2: 'varchar(80) collate utf8mb4_bin' };

/** Accounts and cards of owners. */
export async function createOwnerTables(database: TestDatabase): Promise<void> {
  const text = TEXT[database.client];
  await database.execute(
    `create table accounts (id integer primary key, owner ${text}, balance bigint not null default 0)`,
  );
  await database.execute(
    `create table cards (id integer primary key, holder ${text} not null, name ${text})`,
  );
}

/** What an owner has: `owners` in order, `cardsOf` in none. */
export function derivedConfig(rest: Partial<ResourceConfig> = {}): ResourceConfig {
  return config({
    name: 'owner-accounts',
    table: '',
    key: ['owner'],
    cacheKey: 'owner:{owner}:accounts',
    policy: 'delete-after-write',
    derived: {
      source: {
        kind: 'query',
        text: 'select id, balance from accounts where owner = {owner} order by id',
        maxRows: 3,
      },
      parameters: [{ name: 'owner', type: 'text' }],
      dependsOn: [{ resource: 'account', key: { owner: 'owner' } }],
    },
    ...rest,
  });
}
