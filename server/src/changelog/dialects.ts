/** Chooses the change log's dialect by the database's client. Nothing else in this folder looks at the client. */
import type { FieldFault } from '@lockstep/shared';
import type { DatabaseClient, SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { ChangeLogDialect, ChangeSourceOptions, LogNames, LogSettings } from './dialect.ts';
import { mysqlChangeLog } from './mysql/dialect.ts';
import { pgChangeLog } from './pg/dialect.ts';
import type { ChangeSource } from './port.ts';
import { KEYS_TABLE, tablesOf, type TableChanges } from './table-changes.ts';

const DIALECTS: Readonly<Record<DatabaseClient, ChangeLogDialect>> = {
  pg: pgChangeLog,
  mysql2: mysqlChangeLog,
};

/**
 * The configured names. A name that is null is derived from the database: all its coordinators get the same one, and no
 * other database on the server does. Rejects with LockstepError `DATABASE_UNAVAILABLE`.
 */
export function logNames(
  sql: SqlRunner,
  configured: { slot: string | null; serverId: number | null },
): Promise<LogNames> {
  return DIALECTS[sql.client].names(sql, configured);
}

export function createChangeSource(options: ChangeSourceOptions): ChangeSource {
  return DIALECTS[options.sql.client].source(options);
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
  const { settings, tables } = await DIALECTS[sql.client].faults(sql, log, followed);
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
  return DIALECTS[sql.client].publication(sql, log, tablesOf(resources));
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
