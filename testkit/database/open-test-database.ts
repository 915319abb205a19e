import { systemRuntime, type Log } from '../../server/src/runtime/index.ts';
import { freshDatabase, type DatabaseClient } from '../servers/index.ts';
import type { Database, DatabaseOptions } from '../../server/src/database/open-database.ts';
import { openDatabase } from '../../server/src/dialects/index.ts';

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface TestDatabase extends Database {
  readonly client: DatabaseClient;
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
    client,
    url: fresh.url,
    execute: async (sql) => {
      await database.sql.run({ any: sql });
    },
    drop: async () => {
      await database.close();
      await fresh.drop();
    },
  };
}
