import { systemRuntime, type Log } from '../../server/src/runtime/index.ts';
import { freshDatabase, type DatabaseClient } from '../servers/index.ts';
import {
  openDatabase,
  type Database,
  type DatabaseOptions,
} from '../../server/src/database/open-database.ts';

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface TestDatabase extends Database {
  readonly url: string;
  /** Runs SQL as any other program would: behind Lockstep's back. */
  execute(sql: string): Promise<void>;
  drop(): Promise<void>;
}

/** A fresh, migrated database on the run's server. */
export async function openTestDatabase(
  client: DatabaseClient,
  rest: Partial<DatabaseOptions> = {},
): Promise<TestDatabase> {
  const fresh = await freshDatabase(client);
  const database = openDatabase({
    client,
    connection: fresh.url,
    pool: { min: 0, max: 10 },
    statementTimeoutMs: 5_000,
    acquireTimeoutMs: 20_000,
    runtime: systemRuntime(rest.runtime?.log ?? silentLog),
    ...rest,
  });
  await database.migrations.up();
  return {
    ...database,
    url: fresh.url,
    execute: async (sql) => {
      await database.sql.run({ pg: sql, mysql2: sql });
    },
    drop: async () => {
      await database.close();
      await fresh.drop();
    },
  };
}
