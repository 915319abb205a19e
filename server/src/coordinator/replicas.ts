import { openReplica } from '../dialects/index.ts';
import { ReplicaSet } from '../replicas/index.ts';
import type { EngineOptions } from './engine-options.ts';

/** If a replica does not answer within this time, the primary is read. Longer than any read takes. */
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
