import type { FieldFault } from '@lockstep/shared';
import type { Database } from '../database/index.ts';
import { identityOf, positionText, type PositionDialect } from '../replicas/index.ts';
import { type CheckResult, together } from './check-result.ts';
import { unusable } from './connection-cause.ts';
import type { DatabaseUnderCheck } from './database-under-check.ts';

/** Checks that the primary reports its log position, and that each replica follows this primary. */
export async function checkReplicas(context: DatabaseUnderCheck): Promise<Partial<CheckResult>> {
  const { config, database: primary, open } = context;
  if (config.database.mode !== 'external' || config.database.replicas.length === 0) return {};
  const { replicas } = config.database;
  const dialect = await primary.sql.dialect.replicas.positions(primary.sql);
  const position = positionText((await primary.sql.run(dialect.primary)).rows[0]);
  if (position === null || dialect.parse(position) === null) {
    const message = `cannot be used: the primary reports no log position; allowed: a primary with ${primary.sql.dialect.replicas.primaryNeeds}`;
    return { faults: [{ path: 'database.replicas', message }] };
  }
  const identity = await identityOf(primary.sql, dialect);
  const results = await Promise.all(
    replicas.map((url, index) => checkReplica(open(url), url, { dialect, identity, index })),
  );
  const { faults, spare } = together(...results);
  const count = replicas.length - faults.length - spare.length;
  return { faults, spare, notes: [`replicas: ${count} of this primary`] };
}

const ALLOWED = 'a reachable replica of database.connection';

async function checkReplica(
  replica: Database,
  url: string,
  primary: { dialect: PositionDialect; identity: string | null; index: number },
): Promise<Partial<CheckResult>> {
  const { dialect, identity: primaryIdentity, index } = primary;
  const path = `database.replicas.${index}`;
  const fault = (message: string): FieldFault => ({
    path,
    message: `${message}; allowed: ${ALLOWED}`,
  });
  try {
    const identity = await identityOf(replica.sql, dialect);
    if (identity !== null && primaryIdentity !== null) {
      const wrong = dialect.identityFault(primaryIdentity, identity);
      if (wrong !== null) return { faults: [fault(`cannot be read: ${wrong}`)] };
    }
    const { rows } = await replica.sql.run(dialect.replica);
    return positionText(rows[0]) === null ? { faults: [fault('does not replicate')] } : {};
  } catch (error) {
    const { absent: spare = [], faults = [] } = unusable(error, url, path, ALLOWED);
    return { spare, faults };
  } finally {
    await replica.close();
  }
}
