/**
 * Measures how soon after the commit of another program's transaction its `lockstep_invalidate` is done, what looking
 * for such calls costs while there are none, and, on PostgreSQL, what NOTIFY would cost the callers. bench/README.md says
 * how and why.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { whole } from '@lockstep/testkit/command-line';
import pg from 'pg';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { mysqlProduct } from '@lockstep/testkit/servers';
import { TABLE_SQL } from '../changelog/database.ts';
import { cpuSeconds } from '../changelog/measures.ts';
import { type Pace, pace } from '../changelog/rows.ts';
import { startMysqlShop } from '../mysql-shop.ts';
import { median } from '../statistics.ts';
import { BESIDE, type Beside, type Callers, openCallers, throughput } from './callers.ts';

interface Options {
  seconds: number;
  mariadb?: boolean;
  json?: boolean;
}

interface Report {
  database: string;
  idle: Pace;
  busy: Pace;
  /** CPU of the coordinator, and of its database sessions on PostgreSQL, in percent of one core. */
  idleCpuPercent: { coordinator: number; database: number | null };
  /** Transactions a second. */
  callers: Partial<Record<Beside, number>>;
}

const IDLE_PER_SECOND = 10;
const BUSY_PER_SECOND = 1_000;
const ROUNDS = 3;

const CONFIG = {
  cache: { mode: 'embedded' },
  locks: { mode: 'embedded' },
  resources: { item: { table: 'items', key: ['id'], cacheKey: 'item:{id}' } },
};

/** The pace changes single rows only. */
const whollyOf = (callers: Callers) => ({
  ...callers,
  changeMany: () => Promise.reject(new Error('not needed')),
});

const command = new Command('bench:invalidate')
  .description('Measures invalidations in transactions of other programs')
  .option('--seconds <n>', 'length of each part, at most 50', whole(1, 50), 20)
  .option(
    '--mariadb',
    'on a MariaDB, or the MySQL of LOCKSTEP_TEST_MYSQLD, instead of the embedded PostgreSQL',
  )
  .option('--json', 'print the report as JSON in the last line');

async function main({ seconds, mariadb = false, json = false }: Options): Promise<void> {
  console.error('Starting servers…');
  const { instance, stop } = await start(mariadb);
  const url = instance.runtime.databaseUrl;
  const callers = openCallers(url);
  try {
    await pace(instance, whollyOf(callers), BUSY_PER_SECOND, 2); // warms up
    const report: Report = {
      database: mariadb ? mysqlProduct() : 'PostgreSQL',
      idleCpuPercent: await idleCpu(instance, mariadb ? null : url, seconds),
      idle: await pace(instance, whollyOf(callers), IDLE_PER_SECOND, seconds),
      busy: await pace(instance, whollyOf(callers), BUSY_PER_SECOND, seconds),
      callers: mariadb ? {} : await compareCallers(url, seconds),
    };
    console.log(format(report));
    if (json) console.log(JSON.stringify(report));
  } finally {
    await callers.close();
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
  const database = { client: 'mysql2', connection: shop.connection };
  try {
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

async function idleCpu(
  instance: Instance,
  pgUrl: string | null,
  seconds: number,
): Promise<Report['idleCpuPercent']> {
  const sessions = pgUrl === null ? [] : await sessionsOf(pgUrl);
  const total = (pids: readonly number[]): number =>
    pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = [cpuSeconds(instance.pid), total(sessions)] as const;
  await sleep(seconds * 1_000);
  const percent = (used: number): number => (used * 100) / seconds;
  return {
    coordinator: percent(cpuSeconds(instance.pid) - before[0]),
    database: pgUrl === null ? null : percent(total(sessions) - before[1]),
  };
}

/** The coordinator's sessions, which stay open. */
async function sessionsOf(connectionString: string): Promise<number[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'lockstep' and backend_type = 'client backend'",
    );
    return rows.map(({ pid }) => pid);
  } finally {
    await client.end();
  }
}

/** In turns, so that other work on the machine affects all alike. */
async function compareCallers(url: string, seconds: number): Promise<Report['callers']> {
  const rates = new Map<Beside, number[]>();
  const kinds = Object.keys(BESIDE) as Beside[];
  for (let round = 0; round < ROUNDS; round += 1)
    for (const kind of kinds)
      rates.set(kind, [...(rates.get(kind) ?? []), await throughput(url, kind, seconds / ROUNDS)]);
  return Object.fromEntries([...rates].map(([kind, all]) => [kind, median(all)]));
}

function format({ database, idle, busy, idleCpuPercent, callers }: Report): string {
  const ofDatabase =
    idleCpuPercent.database === null
      ? ''
      : `, its database sessions ${idleCpuPercent.database.toFixed(1)}%`;
  return [
    database,
    `  idle   the coordinator takes ${idleCpuPercent.coordinator.toFixed(1)}% of a core${ofDatabase}`,
    ...[idle, busy].map(lineOf),
    ...Object.entries(callers).map(
      ([kind, rate]) =>
        `  ${Math.round(rate)} transactions a second, with ${kind} beside the change`,
    ),
  ].join('\n');
}

const lineOf = ({
  changesPerSecond,
  invalidated,
  p50Ms,
  p99Ms,
  worstMs,
  commitP99Ms,
}: Pace): string =>
  `  ${changesPerSecond} a second: ${invalidated} invalidated, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, worst ${worstMs.toFixed(1)} ms after the commit (which itself takes ${commitP99Ms.toFixed(1)} ms, p99)`;

// Last, so that everything above is there.
command.parse();
await main(command.opts<Options>());
