import type { Config } from '../config/index.ts';
import { type Database, openReplica } from '../database/index.ts';
import { ReplicaSet } from '../replicas/index.ts';
import type { Metrics } from '../metrics/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** A replica that does not answer by then is given up for the primary: longer than any read that it is asked for. */
const STATEMENT_TIMEOUT_MS = 1_000;

/** The configured replicas; null where there are none. Nothing is connected until they are started. */
export function composeReplicas(options: {
  config: Config;
  database: Database;
  metrics: Metrics;
  runtime: Runtime;
}): ReplicaSet | null {
  const { config, database, metrics, runtime } = options;
  if (config.database.mode !== 'external' || config.database.replicas.length === 0) return null;
  const { client, pool, statementTimeoutMs, acquireTimeoutMs, timeZone, replicas } =
    config.database;
  return new ReplicaSet({
    sql: database.sql,
    replicas: replicas.map((connection) =>
      openReplica({
        ...{ client, connection, pool, timeZone, runtime },
        statementTimeoutMs: Math.min(statementTimeoutMs, STATEMENT_TIMEOUT_MS),
        acquireTimeoutMs: Math.min(acquireTimeoutMs, STATEMENT_TIMEOUT_MS),
      }),
    ),
    telemetry: metrics.telemetry,
    runtime,
  });
}
