import {
  type ChangeLogService,
  type ChangeSource,
  createChangeLog,
  createMysqlChangeSource,
  createPgChangeSource,
  createPositionStore,
  type LogNames,
} from '../changelog/index.ts';
import type { EntryScanner, EntryStore } from '../cache/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Resource, Telemetry } from '../domain/index.ts';
import type { OutboxStore } from '../outbox/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Servers } from './servers.ts';

export interface ComposeChangeLogOptions {
  config: Config;
  logNames: LogNames;
  servers: Servers;
  database: Database;
  entries: EntryStore;
  scanner: Pick<EntryScanner, 'scan'>;
  outbox: OutboxStore;
  resources: ReadonlyMap<string, Resource>;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** What follows the database's change log; null where the configuration has it off. */
export function composeChangeLog(options: ComposeChangeLogOptions): ChangeLogService | null {
  const { config, database, runtime } = options;
  const { mode, behindAfterMs } = config.changeLog;
  if (mode === 'off') return null;
  return createChangeLog({
    ...options,
    source: sourceOf(options),
    positions: createPositionStore({ sql: database.sql, name: options.logNames.slot, runtime }),
    behindMs: behindAfterMs,
  });
}

function sourceOf({
  config,
  logNames: { slot, serverId },
  servers,
  database,
  resources,
  runtime,
}: ComposeChangeLogOptions): ChangeSource {
  const { publication } = config.changeLog;
  const parts = {
    sql: database.sql,
    connection: config.changeLog.connection ?? servers.databaseUrl,
    resources,
    runtime,
  };
  return database.client === 'pg'
    ? createPgChangeSource({ ...parts, slot, publication })
    : createMysqlChangeSource({ ...parts, serverId });
}
