import type { FieldFault } from '@lockstep/shared';
import { captureFaults } from '../capture/index.ts';
import { changeLogFaults, logNames } from '../changelog/index.ts';
import type { Config, DatabaseConfig } from '../config/index.ts';
import {
  bindResources,
  type Database,
  poolerFault,
  presentClusterName,
  serverCodes,
  triggerWarnings,
} from '../database/index.ts';
import { DIALECTS, openDatabase } from '../dialects/index.ts';
import type { Resource } from '../domain/index.ts';
import type { RightsDialect } from '../rights/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { type CheckResult, together } from './check-result.ts';
import type { FoundCluster } from './cluster-checks.ts';
import { unusable } from './connection-cause.ts';
import { checkRights } from './database-rights.ts';
import {
  type DatabaseCheck,
  type DatabaseUnderCheck,
  type ServerFacts,
  serverFacts,
} from './database-under-check.ts';
import { listedCoordinators } from './listed-coordinators.ts';
import { migrationState, newerMigrationFault } from './migration-state.ts';
import { checkReplicas } from './replica-checks.ts';

/** Every check of a database that answers, in the order in which their lines are printed. */
const DATABASE_CHECKS: readonly DatabaseCheck[] = [
  checkVersion,
  checkIsWritable,
  checkOwnTables,
  checkChangeLog,
  checkCapture,
  checkTriggers,
  checkStorages,
  checkReplicas,
];

/** How many tables a warning names at most. */
const SHOWN_TABLES = 5;

export interface CheckedDatabase {
  result: CheckResult;
  /** Null if it could not be found out. */
  cluster: (FoundCluster & { resources: readonly Resource[] }) | null;
}

/** Checks that the database answers, is new enough, gives the account its rights, and has what the resources name. */
export async function checkDatabase(
  config: Config,
  url: string,
  runtime: Runtime,
): Promise<CheckedDatabase> {
  const path = databasePath(config);
  const open = (connection: string): Database =>
    openForChecks(config.database, connection, runtime);
  const database = open(url);
  try {
    await database.ping();
    const server = await serverFacts(database);
    const { resources, faults, withoutStorage } = await bindResources(
      config.resources,
      database.catalog,
    );
    const context: DatabaseUnderCheck = {
      ...{ path, url, config, database, server, resources, withoutStorage, open },
    };
    const results: Partial<CheckResult>[] = [];
    for (const check of DATABASE_CHECKS) results.push(await check(context));
    const notes = [`database: ${server.product} ${server.version}`];
    return {
      result: together({ notes, faults }, ...results),
      cluster: await foundCluster(database, resources),
    };
  } catch (error) {
    return { result: together(unusableDatabase(error, path, url)), cluster: null };
  } finally {
    await database.close();
  }
}

async function foundCluster(
  { sql }: Database,
  resources: readonly Resource[],
): Promise<CheckedDatabase['cluster']> {
  try {
    const name = await presentClusterName(sql);
    return { name, listed: await listedCoordinators(sql).catch(() => null), resources };
  } catch (error) {
    const isNew = serverCodes(error).some((code) => sql.dialect.codes.noSuchTable.includes(code));
    return isNew ? { name: null, listed: null, resources } : null;
  }
}

/** Where the configuration names the database. */
export function databasePath({ database }: Pick<Config, 'database'>): string {
  return database.mode === 'external' ? 'database.connection' : 'database';
}

/** Opens a database with few connections, for a check or a command. The caller closes it. */
export function openForChecks(
  config: DatabaseConfig,
  connection: string,
  runtime: Runtime,
): Database {
  return openDatabase({ ...config, connection, runtime, pool: { min: 0, max: 2 } });
}

function unusableDatabase(error: unknown, path: string, url: string): Partial<CheckResult> {
  const pooler = poolerFault(error);
  if (pooler !== null) return { faults: [{ path, message: pooler }] };
  return unusable(error, url, path, `a reachable ${leastVersions()} that lets this user in`);
}

/** `PostgreSQL 15+, MySQL 8+ or MariaDB 10.11+` */
function leastVersions(): string {
  const products = Object.values(DIALECTS).flatMap(({ rights }) =>
    Object.entries(rights.leastVersions).map(
      ([product, [major, minor]]) => `${product} ${major}${minor === 0 ? '' : `.${minor}`}+`,
    ),
  );
  return `${products.slice(0, -1).join(', ')} or ${products.at(-1)}`;
}

function checkVersion({ database, server, path }: DatabaseUnderCheck): Partial<CheckResult> {
  const { product, version } = server;
  const { leastVersions: least } = database.sql.dialect.rights;
  const [leastMajor, leastMinor] = least[product] ?? [0, 0];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return {};
  const allowed = `${product} ${leastMajor}.${leastMinor} or newer`;
  return { faults: [{ path, message: `is ${product} ${version}; allowed: ${allowed}` }] };
}

function checkIsWritable(context: DatabaseUnderCheck): Partial<CheckResult> {
  const { database, server, path } = context;
  const reason = whyReadOnly(server, database.sql.dialect.rights);
  if (reason === null) return {};
  return { faults: [{ path, message: `${reason}; allowed: the primary, which takes writes` }] };
}

function whyReadOnly(
  { product, isStandby, isReadOnly }: ServerFacts,
  { readOnlySetting }: RightsDialect,
): string | null {
  if (isStandby) return `is a hot standby of another ${product}`;
  return isReadOnly ? `is read-only (${readOnlySetting})` : null;
}

async function checkOwnTables(context: DatabaseUnderCheck): Promise<Partial<CheckResult>> {
  const state = await migrationState(context.database.sql);
  const newer = newerMigrationFault(context.path, state.unknown);
  if (newer !== null) return { faults: [newer] };
  return checkRights(context, state);
}

async function checkChangeLog(context: DatabaseUnderCheck): Promise<Partial<CheckResult>> {
  const { config, database, url, resources } = context;
  if (config.changeLog.mode === 'off') return {};
  const { slot } = await logNames(database.sql, config.changeLog);
  const log = { ...config.changeLog, slot, connection: config.changeLog.connection ?? url };
  return { faults: await changeLogFaults(database.sql, log, resources) };
}

async function checkCapture({
  config,
  database,
  resources,
}: DatabaseUnderCheck): Promise<Partial<CheckResult>> {
  if (config.database.capture !== 'triggers') return {};
  return captureFaults(database.sql, resources);
}

function checkTriggers({ config, resources }: DatabaseUnderCheck): Partial<CheckResult> {
  return { warnings: warningsOf(config, resources) };
}

/**
 * Warns about tables whose truncation would not be noticed: without the change log, only a table's storage shows it.
 */
function checkStorages({
  config,
  database,
  server,
  withoutStorage,
  path,
}: DatabaseUnderCheck): Partial<CheckResult> {
  if (config.changeLog.mode === 'on' || withoutStorage.length === 0) return {};
  const shown = withoutStorage.slice(0, SHOWN_TABLES).join(', ');
  const more = withoutStorage.length > SHOWN_TABLES ? ', …' : '';
  const why = database.sql.dialect.rights.storagesUnseen(server.product);
  const message =
    `a truncated table or an exchanged partition will not be noticed, because ${why} (${shown}${more}): entries stay until ` +
    'their TTL; if that is not wanted: grant process on *.* to the account, changeLog.mode: on, or lockstep sweep ' +
    'after each such change';
  return { warnings: [{ path, message }] };
}

/** Warnings about what works but should be known. */
export function warningsOf(config: Config, resources: readonly Resource[]): FieldFault[] {
  const { capture, client } = config.database;
  const { notesOtherTriggers } = DIALECTS[client].capture;
  const isNoticed = capture === 'log' || (capture === 'triggers' && notesOtherTriggers);
  return triggerWarnings(resources, { isNoticed });
}
