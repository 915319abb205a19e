import { openReplica } from '../database/index.ts';
import { ReplicaSet } from '../replicas/index.ts';
import type { EngineOptions } from './engine-options.ts';

/** A replica that does not answer by then is given up for the primary: longer than any read that it is asked for. */
const STATEMENT_TIMEOUT_MS = 1_000;

/** The configured replicas; null if there are none. Nothing is connected until they are started. */
export function composeReplicas({
  config,
  database,
  metrics,
  runtime,
}: EngineOptions): ReplicaSet | null {
  if (config.database.mode !== 'external' || config.database.replicas.length === 0) return null;
  const { statementTimeoutMs, acquireTimeoutMs, replicas } = config.database;
  return new ReplicaSet({
    sql: database.sql,
    replicas: replicas.map((connection) =>
      openReplica({
        ...{ ...config.database, connection, runtime },
        statementTimeoutMs: Math.min(statementTimeoutMs, STATEMENT_TIMEOUT_MS),
        acquireTimeoutMs: Math.min(acquireTimeoutMs, STATEMENT_TIMEOUT_MS),
      }),
    ),
    telemetry: metrics.telemetry,
    runtime,
  });
}
