import type { FieldFault } from '@lockstep/shared';
import type { DatabaseConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { dialectOf, identityOf, positionText, type PositionDialect } from '../replicas/index.ts';
import type { CheckResult } from './check-result.ts';
import { lineOf } from './line-of.ts';
import type { CliPorts } from './ports.ts';
import { openForCommand } from './servers.ts';

/** Whether the primary tells where its log is, and each replica is one of this primary that has reached some of it. */
export async function checkReplicas(
  config: DatabaseConfig,
  primary: Database,
  ports: CliPorts,
): Promise<CheckResult> {
  if (config.mode !== 'external' || config.replicas.length === 0) return { faults: [], notes: [] };
  const dialect = await dialectOf(primary.sql);
  const position = positionText((await primary.sql.run(dialect.primary)).rows[0]);
  if (position === null || dialect.parse(position) === null) {
    const message = `cannot be used: the primary tells no log position; allowed: a primary with ${NEEDED[primary.client]}`;
    return { faults: [{ path: 'database.replicas', message }], notes: [] };
  }
  const identity = await identityOf(primary.sql, dialect);
  const faults = await Promise.all(
    config.replicas.map((url, index) =>
      replicaFault(openForCommand(config, url, ports), dialect, identity, index),
    ),
  );
  const wrong = faults.filter((fault) => fault !== null);
  const count = config.replicas.length - wrong.length;
  return { faults: wrong, notes: [`replicas: ${count} of this primary`] };
}

const NEEDED = { pg: 'its log', mysql2: 'log_bin, and gtid_mode=ON on MySQL' };

async function replicaFault(
  replica: Database,
  dialect: PositionDialect,
  primaryIdentity: string | null,
  index: number,
): Promise<FieldFault | null> {
  const fault = (message: string): FieldFault => ({
    path: `database.replicas.${index}`,
    message: `${message}; allowed: a reachable replica of database.connection`,
  });
  try {
    const identity = await identityOf(replica.sql, dialect);
    if (identity !== null && primaryIdentity !== null) {
      const wrong = dialect.identityFault(primaryIdentity, identity);
      if (wrong !== null) return fault(`cannot be read: ${wrong}`);
    }
    const { rows } = await replica.sql.run(dialect.replica);
    return positionText(rows[0]) === null ? fault('does not replicate') : null;
  } catch (error) {
    const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return fault(`does not answer: ${lineOf(inner)}`);
  } finally {
    await replica.close();
  }
}
