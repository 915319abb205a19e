/** The change log of a database, by its dialect. */
import type { FieldFault } from '@lockstep/shared';
import type { SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { ChangeSourceOptions, LogNames, LogSettings } from './dialect.ts';
import type { ChangeSource } from './port.ts';
import { KEYS_TABLE, tablesOf, type TableChanges } from './table-changes.ts';

/**
 * The configured names. A name that is null is derived from the database: all its coordinators get the same one, and no
 * other database on the server does. Rejects with LockstepError `DATABASE_UNAVAILABLE`.
 */
export function logNames(
  sql: SqlRunner,
  configured: { slot: string | null; serverId: number | null },
): Promise<LogNames> {
  return sql.dialect.changeLog.names(sql, configured);
}

export function createChangeSource(options: ChangeSourceOptions): ChangeSource {
  return options.sql.dialect.changeLog.source(options);
}

/**
 * One fault for each wrong setting, each missing right, and each table that cannot be followed completely.
 * @param log.connection the connection for following the log; on PostgreSQL it is tried
 */
export async function changeLogFaults(
  sql: SqlRunner,
  log: LogSettings,
  resources: Iterable<Resource>,
): Promise<FieldFault[]> {
  const followed = tablesOf(resources);
  const { settings, tables } = await sql.dialect.changeLog.faults(sql, log, followed);
  return [
    ...settings.map((message) => ({ path: 'changeLog', message })),
    ...tables.map(({ table, message }) => ({
      path: pathOf(followed.get(table), table),
      message: `${table}: ${message}`,
    })),
  ];
}

/**
 * PostgreSQL: the statement by which an administrator creates the publication, or adds the tables that it lacks; null if
 * it lacks none, and on MySQL and MariaDB, which have no publications.
 */
export function publicationFor(
  sql: SqlRunner,
  log: Pick<LogSettings, 'publication'>,
  resources: Iterable<Resource>,
): Promise<string | null> {
  return sql.dialect.changeLog.publication(sql, log, tablesOf(resources));
}

/** The configuration's field that names the table: that of a resource, or of a query that depends on it. */
function pathOf(changes: TableChanges | undefined, table: string): string {
  if (table === KEYS_TABLE) return 'changeLog';
  const [resource] = changes?.resources ?? [];
  const [dependent] = changes?.dependents ?? [];
  if (resource === undefined && dependent !== undefined) {
    return `resources.${dependent.name}.dependsOn`;
  }
  return `resources.${resource?.name ?? table}.table`;
}
