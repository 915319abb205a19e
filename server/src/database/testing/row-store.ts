import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { Row } from '@lockstep/shared';
import { makeKey, type Change, type Key } from '../../domain/index.ts';
import type { DatabaseClient } from '@lockstep/testkit/servers';
import type { RowWrite, RowWriteResult, VersionedRow } from '../port.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { createTables, type TestResources } from '@lockstep/testkit/database/tables';

/** MySQL shows its waiting transactions from a cache that it refreshes only when nobody asks for a while. */
const POLL = { interval: 200, timeout: 60_000 };
const TABLES = ['accounts', 'notes', 'lockstep_keys', 'lockstep_outbox', 'lockstep_idempotency'];

export interface TestRowStore {
  readonly database: TestDatabase;
  readonly resources: TestResources;
  account: (id: number) => Key;
  /** The same table, as the resource with a related cache key. */
  owned: (id: number) => Key;
  write: (key: Key, change: Change, rest?: Partial<RowWrite>) => Promise<RowWriteResult>;
  read: (key: Key) => Promise<VersionedRow>;
  expectRows: (sql: string, count: number) => Promise<void>;
  /** Resolves when so many statements of this database wait for a lock. */
  blocked: (count: number) => Promise<void>;
}

/** A database for the tests of one `describe`; its tables are empty before each test. */
export function useRowStore(client: DatabaseClient): TestRowStore {
  let database: TestDatabase;
  let resources: TestResources;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    resources = await createTables(database);
  });
  afterAll(() => database?.drop());
  beforeEach(async () => {
    for (const table of TABLES) await database.execute(`delete from ${table}`);
  });
  return {
    get database() {
      return database;
    },
    get resources() {
      return resources;
    },
    account: (id) => makeKey(resources.account, [String(id)]),
    owned: (id) => makeKey(resources.owned, [String(id)]),
    write: (key, change, rest = {}) => database.rows.write({ key, change, outbox: false, ...rest }),
    read: (key) => database.rows.read(key),
    async expectRows(sql, count) {
      expect((await database.sql.run({ pg: sql, mysql2: sql })).rows).toHaveLength(count);
    },
    async blocked(count) {
      const waiting = async (): Promise<number> => (await database.sql.run(WAITING)).rows.length;
      await expect.poll(waiting, POLL).toBeGreaterThanOrEqual(count);
    },
  };
}

const WAITING = {
  pg: `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  mysql2: `select trx_id from information_schema.innodb_trx where trx_state = 'LOCK WAIT'`,
};

export const put = (set: Row, onlyCreate = false): Change => ({ op: 'put', set, onlyCreate });
export const patch = (set: Row, increment: Record<string, string> = {}): Change => ({
  op: 'patch',
  set,
  increment,
});
export const remove: Change = { op: 'delete' };

export const texts = (keys: readonly Key[]): string[] => keys.map((key) => key.text);

export function applied(result: RowWriteResult): Extract<RowWriteResult, { status: 'applied' }> {
  if (result.status !== 'applied') throw new Error(`not applied: ${JSON.stringify(result)}`);
  return result;
}

export const refusalReason = (result: RowWriteResult): string | null =>
  result.status === 'refused' ? result.refusal.reason : null;

export function unwrap<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not there');
  return value;
}
