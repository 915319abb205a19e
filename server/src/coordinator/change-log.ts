import {
  ChangeLog,
  type ChangeLogOptions,
  createChangeSource,
  PositionStore,
} from '../changelog/index.ts';
import type { EngineOptions } from './engine-options.ts';

/** The follower of the database's change log; null if it is off in the configuration. */
export function composeChangeLog(
  options: EngineOptions,
  ports: Pick<ChangeLogOptions, 'entries' | 'scanner' | 'outbox' | 'forgetLocal'>,
): ChangeLog | null {
  const { config, logNames, servers, database, resources, metrics, runtime } = options;
  const { mode, behindAfterMs, publication, connection } = config.changeLog;
  if (mode === 'off') return null;
  const { sql } = database;
  return new ChangeLog({
    ...{ ...ports, resources, runtime },
    telemetry: metrics.telemetry,
    source: createChangeSource({
      ...{ sql, resources, runtime, publication, ...logNames },
      connection: connection ?? servers.databaseUrl,
    }),
    positions: new PositionStore({ sql, name: logNames.slot, runtime }),
    behindMs: behindAfterMs,
  });
}
