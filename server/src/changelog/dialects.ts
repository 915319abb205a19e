/** What the change log of each database does in its own way. Chosen by the database's client, here only. */
import type { FieldFault } from '@lockstep/shared';
import type { DatabaseClient, SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { ChangeLogDialect, ChangeSourceOptions, LogNames, LogSettings } from './dialect.ts';
import { mysqlChangeLog } from './mysql/dialect.ts';
import { pgChangeLog } from './pg/dialect.ts';
import type { ChangeSource } from './port.ts';
import { tablesOf, type TableChanges } from './table-changes.ts';

const DIALECTS: Readonly<Record<DatabaseClient, ChangeLogDialect>> = {
  pg: pgChangeLog,
  mysql2: mysqlChangeLog,
};

/**
 * The configured names; for each that is null the database's own, which no other database of the server has and every
 * coordinator of this database makes alike. Rejects with LockstepError `DATABASE_UNAVAILABLE`.
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
 * One fault for each setting and right that is missing, and for each table that cannot be followed well.
 * @param log.connection by which the log will be followed; on PostgreSQL it is tried
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

/** Where the configuration names the table: as a resource's, or as what a query depends on. */
function pathOf(changes: TableChanges | undefined, table: string): string {
  const [resource] = changes?.resources ?? [];
  const [dependent] = changes?.dependents ?? [];
  if (resource === undefined && dependent !== undefined) {
    return `resources.${dependent.name}.dependsOn`;
  }
  return `resources.${resource?.name ?? table}.table`;
}
