import type { DatabaseClient } from '@lockstep/testkit/servers';
import { openDatabase } from '../../dialects/index.ts';
import { systemRuntime } from '../../runtime/index.ts';

const quiet = (): void => undefined;
const runtime = systemRuntime({ debug: quiet, info: quiet, warn: quiet, error: quiet });

/** Runs SQL as another program would, one statement after the other. */
export async function executeAll(
  client: DatabaseClient,
  connection: string,
  statements: readonly string[],
): Promise<void> {
  const database = openDatabase({
    ...{ client, connection, runtime },
    pool: { min: 0, max: 1 },
    statementTimeoutMs: 5000,
    acquireTimeoutMs: 5000,
  });
  try {
    for (const text of statements) await database.sql.run({ pg: text, mysql2: text });
  } finally {
    await database.close();
  }
}
