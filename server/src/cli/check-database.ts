import type { FieldFault } from '@lockstep/shared';
import { changeLogFaults } from '../changelog/index.ts';
import type { Config } from '../config/index.ts';
import {
  bindResources,
  poolerFault,
  triggerWarnings,
  type Database,
  type SqlStatement,
} from '../database/index.ts';
import { checkReplicas } from './check-replicas.ts';
import type { CheckResult } from './check-result.ts';
import type { CliPorts } from './ports.ts';
import { lineOf } from './line-of.ts';
import { openForCommand } from './servers.ts';
import selectVersionMysql from './select-version.mysql.sql?raw';
import selectVersionPg from './select-version.pg.sql?raw';

const SELECT_VERSION: SqlStatement = { pg: selectVersionPg, mysql2: selectVersionMysql };
const LEAST = { PostgreSQL: [15, 0], MariaDB: [10, 11], MySQL: [8, 0] } as const;

/** Whether the database answers, is new enough, and has every table and column that the resources name. */
export async function checkDatabase(
  config: Config,
  url: string,
  ports: CliPorts,
): Promise<CheckResult> {
  const path = config.database.mode === 'external' ? 'database.connection' : 'database';
  const database = openForCommand(config.database, url, ports);
  try {
    await database.ping();
    const { product, version, fault } = await versionOf(database, path);
    const { resources, faults } = await bindResources(config.resources, database.catalog);
    if (config.changeLog.mode === 'on') {
      const connection = config.changeLog.connection ?? url;
      const log = { ...config.changeLog, connection };
      faults.push(...(await changeLogFaults(database.sql, log, resources)));
    }
    const followsLog = config.changeLog.mode === 'on';
    const warnings = triggerWarnings(resources, { followsLog }).map(
      ({ path: where, message }) => `warning: ${where} ${message}`,
    );
    const replicas = await checkReplicas(config.database, database, ports);
    faults.push(...replicas.faults);
    return {
      faults: fault === null ? faults : [fault, ...faults],
      notes: [`database: ${product} ${version}`, ...replicas.notes, ...warnings],
    };
  } catch (error) {
    const pooler = poolerFault(error);
    if (pooler !== null) return { faults: [{ path, message: pooler }], notes: [] };
    const message = `does not answer: ${rootLine(error)}; allowed: a reachable PostgreSQL 15+, MySQL 8+ or MariaDB 10.11+`;
    return { faults: [{ path, message }], notes: [] };
  } finally {
    await database.close();
  }
}

async function versionOf(
  database: Database,
  path: string,
): Promise<{ product: keyof typeof LEAST; version: string; fault: FieldFault | null }> {
  const { rows } = await database.sql.run(SELECT_VERSION);
  const text = rows[0]?.['version'] ?? '';
  const product =
    database.client === 'pg' ? 'PostgreSQL' : /mariadb/i.test(text) ? 'MariaDB' : 'MySQL';
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
  const [leastMajor, leastMinor] = LEAST[product];
  const isNew =
    Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor);
  const version = `${major}.${minor}`;
  const allowed = `${product} ${leastMajor}.${leastMinor} or newer`;
  return {
    product,
    version,
    fault: isNew ? null : { path, message: `is ${product} ${version}; allowed: ${allowed}` },
  };
}

/** The driver's own word, behind our own error. */
function rootLine(error: unknown): string {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return lineOf(inner);
}
