/** What an operator wants to know of the database, beyond what decides whether a coordinator starts. */
import type { FieldFault } from '@lockstep/shared';
import { changeLogFaults, logNames } from '../changelog/index.ts';
import type { Config } from '../config/index.ts';
import { bindResources, type Database, hasStatement, type SqlRunner } from '../database/index.ts';
import { type Column, isUtc, type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { serverFacts } from './database-under-check.ts';
import { causeOf } from './connection-cause.ts';
import { databasePath, openForChecks } from './database-checks.ts';
import { type Finding, findingOf } from './finding.ts';
import { migrationState } from './migration-state.ts';
import { OPERATIONS as SQL } from './statements.ts';
import { triedRights } from './tried-rights.ts';

export interface DatabaseFindings {
  findings: Finding[];
  /** How far the database's clock is ahead of this machine's, in ms. */
  clockAheadMs: number;
}

interface Looked {
  config: Config;
  path: string;
  url: string;
  database: Database;
  resources: readonly Resource[];
  zone: string;
}

type Look = (looked: Looked) => Promise<Finding[]> | Finding[];

const LOOKS: readonly Look[] = [
  lookAtPooling,
  lookAtMigrations,
  lookAtRights,
  lookAtZone,
  lookAtReplicas,
  lookAtLog,
  lookAtSlots,
];

/** @throws LockstepError `DATABASE_UNAVAILABLE` */
export async function databaseFindings(
  config: Config,
  url: string,
  runtime: Runtime,
): Promise<DatabaseFindings> {
  const database = openForChecks(config.database, url, runtime);
  try {
    await database.ping();
    const sentAtMs = runtime.clock.wallMs();
    const [row = {}] = (await database.sql.run(SQL['read-clock-and-zone'])).rows;
    const clockAheadMs = Math.round(
      Number(row['now_ms']) - (sentAtMs + runtime.clock.wallMs()) / 2,
    );
    const { resources } = await bindResources(config.resources, database.catalog);
    const path = databasePath(config);
    const looked = { config, path, url, database, resources, zone: row['zone'] ?? 'UTC' };
    const findings: Finding[] = [];
    for (const look of LOOKS) findings.push(...(await lookWith(look, looked)));
    return { findings, clockAheadMs };
  } finally {
    await database.close();
  }
}

/** What cannot be asked with this account's rights is no reason to know nothing of the rest. */
async function lookWith(look: Look, looked: Looked): Promise<Finding[]> {
  try {
    return await look(looked);
  } catch (error) {
    return [
      note(looked.path, `could not be asked for everything: ${causeOf(error, looked.url).words}`),
    ];
  }
}

const note = (area: string, message: string, mend: string | null = null): Finding => ({
  ...{ level: 'note', area, message, mend },
});
const warning = (area: string, message: string, mend: string): Finding => ({
  ...{ level: 'warning', area, message, mend },
});

async function lookAtPooling({ path, database }: Looked): Promise<Finding[]> {
  const pooling = await database.pooling();
  return [
    note(
      path,
      pooling === 'none'
        ? 'no pooler is seen between'
        : `is reached through a pooler in ${pooling} mode, which keeps a session for each connection`,
    ),
  ];
}

async function lookAtMigrations({ path, database }: Looked): Promise<Finding[]> {
  const { pending } = await migrationState(database.sql);
  if (pending.length === 0) return [];
  const message = `${pending.length} migration(s) of Lockstep’s own tables are pending; a start applies them`;
  return [note(path, message, 'lockstep migrate up')];
}

async function lookAtRights({ database, resources }: Looked): Promise<Finding[]> {
  const { tables, denied } = await triedRights(database.sql, resources);
  if (tables === 0) return [];
  const { grantee } = await serverFacts(database);
  const findings = denied.map(({ resource, table, verb }) =>
    warning(
      `resources.${resource.name}.table`,
      `the server refused a trial of ${verb} to this account: such writes will answer 403`,
      `grant ${verb} on ${table} to ${grantee}`,
    ),
  );
  const tried = `select, insert, update and delete were tried on the tables of ${tables} resource(s) and rolled back`;
  return [...findings, note('rights', `${tried}; ${denied.length} refused`)];
}

/** Times without a zone mean what the programs that store them mean, which is often the server's zone. */
function lookAtZone({ config, resources, zone }: Looked): Finding[] {
  const { timeZone } = config.database;
  const area = 'database.timeZone';
  if (zone === timeZone || (isUtcName(zone) && isUtc(timeZone)))
    return [note(area, `is ${timeZone}, as is the server’s`)];
  const resource = resources.find(({ columns }) => columns.some(hasNoZone));
  if (resource === undefined)
    return [
      note(area, `is ${timeZone}; the server’s is ${zone}; no column has times without a zone`),
    ];
  const column = resource.columns.find(hasNoZone)?.name ?? '';
  return [
    warning(
      area,
      `is ${timeZone}, and the server’s is ${zone}: times without a zone, as in ${resource.name}.${column}, are wrong if the programs that store them mean ${zone}`,
      `database.timeZone: ${zone}, if they do`,
    ),
  ];
}

const isUtcName = (zone: string): boolean =>
  /^(etc\/)?(utc|uct|gmt|universal|zulu|greenwich)$|^[+-]?00:?00$/i.test(zone) || isUtc(zone);

const hasNoZone = ({ sqlType, baseType = sqlType }: Column): boolean =>
  /timestamp.*without time zone/.test(baseType) || /^datetime/i.test(sqlType);

async function lookAtReplicas({ config, database }: Looked): Promise<Finding[]> {
  const [row = {}] = (await database.sql.run(SQL['count-replicas'])).rows;
  const attached = Number(row['replicas'] ?? 0);
  const named = config.database.mode === 'external' ? config.database.replicas.length : 0;
  if (attached === 0 && named === 0) return [];
  const message = `${named} replica(s) are named for reads; ${attached} follow the server as far as this account can see`;
  const mend =
    named < attached ? 'database.replicas: [URL, …], if Lockstep is to read from them' : null;
  return [note('database.replicas', message, mend)];
}

/** With the change log on, `check` has looked at all of it. */
async function lookAtLog({ config, database, url, resources }: Looked): Promise<Finding[]> {
  const { slot } = await logNames(database.sql, config.changeLog);
  if (config.changeLog.mode === 'on') {
    const ready = note('changeLog', 'is on, and can be followed');
    return [ready, ...(await lookAtFailover(database.sql, slot))];
  }
  const log = { ...config.changeLog, slot, connection: config.changeLog.connection ?? url };
  const faults = await changeLogFaults(database.sql, log, resources);
  const ready = 'is off, and could be turned on: then changes by other programs are seen';
  if (faults.length === 0) return [note('changeLog', ready, 'changeLog.mode: on')];
  const isOfTable = ({ path: at }: FieldFault): boolean => at.startsWith('resources.');
  const settings = faults.filter((fault) => !isOfTable(fault));
  const [first, ...others] = faults.filter(isOfTable);
  const tables =
    first === undefined
      ? []
      : [
          {
            path: 'changeLog',
            message: `${others.length + 1} resource(s) could not be followed completely, such as ${first.path}: ${first.message}`,
          },
        ];
  return [...settings, ...tables].map((fault) => {
    const { message, mend } = findingOf('note', fault);
    return note('changeLog', `is off, and could not be turned on: ${message}`, mend);
  });
}

/** Whether the slot survives a failover of the database to one of its standbys. */
async function lookAtFailover(sql: SqlRunner, slot: string): Promise<Finding[]> {
  const statement = SQL['read-failover-slot'];
  if (!hasStatement(sql, statement)) return [];
  const [row] = (await sql.run(statement, { slot })).rows;
  const standbys = Number((await sql.run(SQL['count-replicas'])).rows[0]?.['replicas'] ?? 0);
  if (row === undefined || standbys === 0) return [];
  const lost = `a failover to a standby loses the replication slot ${slot}: all entries are swept then`;
  switch (row['failover'] ?? null) {
    case null:
      return [note('changeLog', lost, 'PostgreSQL 17 or newer, whose standbys can copy slots')];
    case 'true':
      return [
        note(
          'changeLog',
          `the replication slot ${slot} survives a failover if the standby copies it`,
          'on the standby: sync_replication_slots = on, hot_standby_feedback = on, dbname in primary_conninfo',
        ),
      ];
    default:
      return [
        warning(
          'changeLog',
          lost,
          `stop every coordinator, select pg_drop_replication_slot('${slot.replaceAll("'", "''")}'), and start: the slot is made anew, and all entries are swept once`,
        ),
      ];
  }
}

async function lookAtSlots({ database: { sql } }: Looked): Promise<Finding[]> {
  const statement = SQL['list-idle-slots'];
  if (!hasStatement(sql, statement)) return [];
  const { rows } = await sql.run(statement);
  return rows.map(({ name = '', kept = '' }) =>
    warning(
      'database',
      `nobody reads the replication slot ${name}, which makes the server keep ${kept} of its log`,
      `start what reads it, or select pg_drop_replication_slot('${(name ?? '').replaceAll("'", "''")}')`,
    ),
  );
}
