/** What following the change log needs of the database, for `check` and for a clear word when it cannot be followed. */
import type { FieldFault } from '@lockstep/shared';
import { replicationFault, type SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import { findTables as findMysqlTables } from './mysql/followed-tables.ts';
import { databaseOf, settingFaults } from './mysql/server-facts.ts';
import { findTables as findPgTables } from './pg/followed-tables.ts';
import { pgSettingFaults } from './pg/setting-faults.ts';
import { tablesOf, type TableChanges } from './table-changes.ts';
import { SQL } from './mysql/statements.ts';

/**
 * One fault for each setting and right that is missing, and for each table that cannot be followed well.
 * @param log.connection by which the log will be followed; on PostgreSQL it is tried
 */
export async function changeLogFaults(
  sql: SqlRunner,
  log: { connection: string; slot: string; publication: string },
  resources: Iterable<Resource>,
): Promise<FieldFault[]> {
  const tables = tablesOf(resources);
  const { settings, faults } =
    sql.client === 'pg'
      ? {
          settings: [
            ...(await pgSettingFaults(sql, log)),
            ...listed(await replicationFault(log.connection)),
          ],
          faults: (await findPgTables(sql, tables)).faults,
        }
      : {
          settings: [...(await settingFaults(sql)), ...(await rightFaults(sql))],
          faults: (await findMysqlTables(sql, await databaseOf(sql), tables)).faults,
        };
  return [
    ...settings.map((message) => ({ path: 'changeLog', message })),
    ...faults.map(({ table, message }) => ({
      path: pathOf(tables.get(table), table),
      message: `${table}: ${message}`,
    })),
  ];
}

const listed = (fault: string | null): string[] => (fault === null ? [] : [fault]);

/** Where the configuration names the table: as a resource's, or as what a query depends on. */
function pathOf(changes: TableChanges | undefined, table: string): string {
  const [resource] = changes?.resources ?? [];
  const [dependent] = changes?.dependents ?? [];
  if (resource === undefined && dependent !== undefined) {
    return `resources.${dependent.name}.dependsOn`;
  }
  return `resources.${resource?.name ?? table}.table`;
}

async function rightFaults(sql: SqlRunner): Promise<string[]> {
  const { rows } = await sql.run(SQL['show-grants']);
  const everywhere = rows
    .flatMap((row) => Object.values(row))
    .map((grant) => /^grant (.+) on \*\.\* to /i.exec(grant ?? '')?.[1]?.toLowerCase() ?? '')
    .flatMap((rights) => rights.split(', '));
  const may = (...rights: string[]): boolean =>
    ['all privileges', ...rights].some((right) => everywhere.includes(right));
  const faults: string[] = [];
  if (!may('replication slave')) {
    faults.push('the account may not read the binlog; allowed: grant replication slave on *.*');
  }
  if (!may('replication client', 'binlog monitor')) {
    faults.push(
      'the account may not ask where the binlog is; allowed: grant replication client on *.*',
    );
  }
  return faults;
}
