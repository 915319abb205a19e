/**
 * Measures how fast the change log turns changes that bypass Lockstep into invalidations, how much memory it needs, and
 * how soon after the commit they are done. bench/README.md says how and why.
 */
import { Command } from 'commander';
import { whole } from '@lockstep/testkit/command-line';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { mysqlProduct } from '@lockstep/testkit/servers';
import { startMysqlShop } from '../mysql-shop.ts';
import { openDatabase, TABLE_SQL } from './database.ts';
import { findFailures, formatReport, type Report } from './report.ts';
import { flood, pace } from './rows.ts';

interface Options {
  quick?: boolean;
  json?: boolean;
  mariadb?: boolean;
  changes?: number;
  seconds?: number;
}

const FULL = { changes: 1_000_000, seconds: 60 };
const QUICK = { changes: 100_000, seconds: 5 };
const WARM_UP_CHANGES = 20_000;
const PACE_PER_SECOND = 500;

const CONFIG = {
  cache: { mode: 'embedded' },
  locks: { mode: 'embedded' },
  resources: {
    item: { table: 'items', key: ['id'], cacheKey: 'item:{id}', policy: 'change-log' },
  },
};

const command = new Command('bench:changelog')
  .description('Measures the change log: rate, memory and delay of invalidations')
  .option('--changes <n>', 'changed rows of the flood', whole(1))
  .option(
    '--seconds <n>',
    `length of the pace of ${PACE_PER_SECOND} a second, at most 100`,
    whole(1),
  )
  .option('--quick', `${QUICK.changes} changes and ${QUICK.seconds} s`)
  .option(
    '--mariadb',
    'on a MariaDB, or the MySQL of LOCKSTEP_TEST_MYSQLD, instead of the embedded PostgreSQL',
  )
  .option('--json', 'print the report as JSON in the last line');
command.parse();
await main(command.opts<Options>());

async function main(options: Options): Promise<void> {
  const say = (line: string): void => console.error(line);
  say('Starting servers…');
  const { instance, stop } = await start(options.mariadb === true);
  const database = openDatabase(instance.runtime.databaseUrl);
  try {
    const plan = { ...(options.quick === true ? QUICK : FULL), ...given(options) };
    await flood(instance, database, WARM_UP_CHANGES);
    const report: Report = {
      database: options.mariadb === true ? mysqlProduct() : 'PostgreSQL',
      flood: await flood(instance, database, plan.changes),
      pace: await pace(instance, database, PACE_PER_SECOND, plan.seconds),
    };
    console.log(formatReport(report));
    const failures = findFailures(report);
    for (const failure of failures) say(failure);
    if (failures.length > 0) process.exitCode = 1;
    if (options.json === true) console.log(JSON.stringify(report));
  } finally {
    await database.close();
    await stop();
  }
}

async function start(isMysql: boolean): Promise<{ instance: Instance; stop: () => Promise<void> }> {
  if (!isMysql) {
    const database = { mode: 'embedded', initSql: './items.sql' };
    const files = { 'items.sql': TABLE_SQL.pg };
    const instance = await startInstance({ config: { ...CONFIG, database }, files });
    return { instance, stop: () => instance.dispose() };
  }
  const shop = await startMysqlShop(TABLE_SQL.mysql2);
  try {
    const database = { client: 'mysql2', connection: shop.connection };
    const instance = await startInstance({ config: { ...CONFIG, database } });
    const stop = async (): Promise<void> => {
      await instance.dispose();
      await shop.stop();
    };
    return { instance, stop };
  } catch (error) {
    await shop.stop();
    throw error;
  }
}

function given({ changes, seconds }: Options): { changes?: number; seconds?: number } {
  return {
    ...(changes === undefined ? {} : { changes }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}
